import { expect } from 'chai';
import type { ByFamily } from '../../../src/model/probed.ts';
import { FormerNodeTable } from '../../../src/probe/former-nodes.ts';
import { node } from '../../scene.ts';

const limit = 1000;
const n1 = node('n1', ['10.0.0.11']);
const n2 = node('n2', ['10.0.0.12']);
const n3 = node('n3', ['10.0.0.13']);
const n4 = node('n4', ['10.0.0.14']);

function carrying(...nodes: readonly string[]): ReadonlyMap<string | undefined, ByFamily> {
  return new Map([[undefined, { 4: new Set(nodes), 6: new Set(nodes) }]]);
}

function covered(table: FormerNodeTable): readonly string[] {
  return [...(table.current.covered.get(undefined)?.[4] ?? [])];
}

describe('the former nodes', () => {
  let table: FormerNodeTable;

  beforeEach(() => {
    table = new FormerNodeTable();
    table.read([n1, n2, n3], carrying('n1', 'n2', 'n3'), 0);
  });

  it('are none when the nodes are read first', () => {
    expect([covered(table), table.current.deleted.size, table.isIdle]).to.deep.equal([[], 0, true]);
  });

  it('are those that were deleted, with their addresses, for as long as the limit', () => {
    table.read([n1, n3], carrying('n1', 'n3'), 100);
    expect(covered(table)).to.deep.equal(['n2']);
    expect([...table.current.deleted]).to.deep.equal([['n2', n2.addresses]]);
    expect([...table.since(undefined, 4)]).to.deep.equal([['n2', 100]]);
    expect([table.deletedAt('n2'), table.deletedAt('n1')]).to.deep.equal([100, undefined]);
    const before = table.current;
    expect(table.expire(1099, limit)).to.equal(false);
    expect(table.current).to.equal(before);
    expect(table.isIdle).to.equal(false);
    expect(table.expire(1100, limit)).to.equal(true);
    expect([covered(table), table.current.deleted.size, table.isIdle]).to.deep.equal([[], 0, true]);
  });

  it('are covered for when they are there and carry no more', () => {
    table.read([n1, n2, n3], carrying('n1', 'n3'), 100);
    expect([covered(table), table.current.deleted.size]).to.deep.equal([['n2'], 0]);
  });

  it('are among them when they are made anew with other addresses, for as long as the limit', () => {
    table.read([n1, n3], carrying('n1', 'n3'), 100);
    const anew = node('n2', ['10.0.0.19']);
    table.read([n1, anew, n3], carrying('n1', 'n2', 'n3'), 200);
    expect([...table.current.deleted]).to.deep.equal([['n2', n2.addresses]]);
    table.read([n1, n3], carrying('n1', 'n3'), 300);
    expect([...table.current.deleted]).to.deep.equal([['n2', n2.addresses]]);
    table.expire(1300, limit);
    expect([table.current.deleted.size, table.isIdle]).to.deep.equal([0, true]);
  });

  it('are none that are back', () => {
    table.read([n1, n3], carrying('n1', 'n3'), 100);
    table.read([n1, n2, n3], carrying('n1', 'n2', 'n3'), 200);
    expect(table.current.deleted.size).to.equal(0);
  });

  it('are covered for under Cluster until another node comes; where they were is known still', () => {
    table.read([n1, n3], carrying('n1', 'n3'), 100);
    table.read([n1, n3, n4], carrying('n1', 'n3', 'n4'), 200);
    expect(covered(table)).to.deep.equal([]);
    expect([...table.current.deleted.keys()]).to.deep.equal(['n2']);
  });

  it('are forgotten with their cluster', () => {
    table.read([n1, n3], carrying('n1', 'n3'), 100);
    table.read([], new Map(), 200);
    expect(covered(table)).to.deep.equal([]);
  });

  it('are the same after a restart, with the time that they had left', () => {
    table.read([n1, n3], carrying('n1', 'n3'), 100);
    const after = new FormerNodeTable();
    const { changes } = table;
    expect(changes).to.be.above(0);
    after.recall(table.kept(300), 5);
    expect([...after.current.deleted]).to.deep.equal([['n2', n2.addresses]]);
    // As before the lists are in.
    after.read([], new Map(), 5);
    after.read([n1, n3], carrying('n1', 'n3'), 5);
    expect([covered(after), [...after.current.deleted]]).to.deep.equal([['n2'], [['n2', n2.addresses]]]);
    expect(after.kept(5)).to.deep.equal(table.kept(300));
    expect(after.expire(804, limit)).to.equal(false);
    expect(after.expire(805, limit)).to.equal(true);
    expect([covered(after), after.current.deleted.size, after.isIdle]).to.deep.equal([[], 0, true]);
  });

  it('have their place after a restart in which they were registered anew', () => {
    table.read([n1, n3], carrying('n1', 'n3'), 100);
    const after = new FormerNodeTable();
    after.recall(table.kept(300), 5);
    after.read([n1, node('n2', ['10.0.0.19']), n3], carrying('n1', 'n2', 'n3'), 5);
    expect([...after.current.deleted]).to.deep.equal([['n2', n2.addresses]]);
    after.read([n1, n2, n3], carrying('n1', 'n2', 'n3'), 6);
    expect(after.current.deleted.size).to.equal(0);
  });
});
