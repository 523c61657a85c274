import { expect } from 'chai';
import type { ByFamily } from '../../../src/model/probed.ts';
import { FormerCarriers } from '../../../src/probe/former-carriers.ts';

const limit = 1000;

function on(...nodes: readonly string[]): ByFamily {
  return { 4: new Set(nodes), 6: new Set() };
}

function noted(former: FormerCarriers): readonly string[] {
  return [...former.of('default/web')[4]];
}

describe('the former carriers of a Service', () => {
  it('are none when it is read first', () => {
    const former = new FormerCarriers();
    former.read('default/web', on('n1', 'n2'), 0);
    expect([noted(former), former.isIdle]).to.deep.equal([[], true]);
  });

  it('are the nodes whose endpoints are gone, for as long as the limit, each from when it left', () => {
    const former = new FormerCarriers();
    former.read('default/web', on('n1', 'n2', 'n3'), 0);
    former.read('default/web', on('n2', 'n3'), 100);
    former.read('default/web', on('n3'), 600);
    expect([noted(former), former.isIdle]).to.deep.equal([['n1', 'n2'], false]);
    expect([...former.since('default/web', 4)]).to.deep.equal([
      ['n1', 100],
      ['n2', 600],
    ]);
    expect([...former.since('default/web', 6), ...former.since('default/other', 4)]).to.deep.equal([]);
    expect(former.expire(1099, limit)).to.equal(false);
    expect(former.expire(1100, limit)).to.equal(true);
    expect(noted(former)).to.deep.equal(['n2']);
    expect([...former.takeTurned()]).to.deep.equal(['default/web']);
    expect([...former.takeTurned()]).to.deep.equal([]);
    former.expire(1600, limit);
    expect([noted(former), former.isIdle]).to.deep.equal([[], true]);
  });

  it('count from the last time that a node left', () => {
    const former = new FormerCarriers();
    former.read('default/web', on('n1', 'n2'), 0);
    former.read('default/web', on('n2'), 100);
    former.read('default/web', on('n1', 'n2'), 200);
    former.read('default/web', on('n2'), 900);
    expect(former.expire(1500, limit)).to.equal(false);
    expect(noted(former)).to.deep.equal(['n1']);
  });

  it('are the same set as long as they are the same', () => {
    const former = new FormerCarriers();
    former.read('default/web', on('n1', 'n2'), 0);
    former.read('default/web', on('n2'), 100);
    const before = former.of('default/web');
    former.read('default/web', on('n1', 'n2'), 200);
    expect(former.of('default/web')).to.equal(before);
  });

  it('are forgotten when another node comes, with one that goes as well', () => {
    const former = new FormerCarriers();
    former.read('default/web', on('n1', 'n2'), 0);
    former.read('default/web', on('n2'), 100);
    former.read('default/web', on('n2', 'n4'), 200);
    expect([noted(former), former.isIdle]).to.deep.equal([[], true]);
    former.read('default/web', on('n4', 'n5'), 300);
    expect([noted(former), former.isIdle]).to.deep.equal([[], true]);
  });

  it('are forgotten with the Service, and with its policy Local', () => {
    const former = new FormerCarriers();
    former.read('default/web', on('n1', 'n2'), 0);
    former.read('default/web', on('n2'), 100);
    former.read('default/web', undefined, 200);
    expect([noted(former), former.isIdle]).to.deep.equal([[], true]);
  });

  it('are forgotten at once where the limit is 0', () => {
    const former = new FormerCarriers();
    former.read('default/web', on('n1', 'n2'), 0);
    former.read('default/web', on('n2'), 100);
    former.expire(100, 0);
    expect(noted(former)).to.deep.equal([]);
  });
});
