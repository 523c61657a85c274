import { expect } from 'chai';
import type { ByFamily } from '../../../src/model/probed.ts';
import { FormerCarriers } from '../../../src/probe/former-carriers.ts';

const limit = 1000;

function on(...nodes: readonly string[]): ByFamily {
  return { 4: new Set(nodes), 6: new Set() };
}

/** What a Service was read as last, by what reads it. */
const last = new WeakMap<FormerCarriers, Map<string, ByFamily | undefined>>();

function read(former: FormerCarriers, service: string, carrying: ByFamily | undefined, now: number): void {
  const known = last.get(former) ?? new Map<string, ByFamily | undefined>();
  last.set(former, known);
  former.read(service, known.get(service), carrying, now);
  known.set(service, carrying);
}

function noted(former: FormerCarriers): readonly string[] {
  return [...former.of('default/web')[4]];
}

describe('the former carriers of a Service', () => {
  it('are none when it is read first', () => {
    const former = new FormerCarriers();
    read(former, 'default/web', on('n1', 'n2'), 0);
    expect([noted(former), former.isIdle]).to.deep.equal([[], true]);
  });

  it('are the nodes whose endpoints are gone, for as long as the limit, each from when it left', () => {
    const former = new FormerCarriers();
    read(former, 'default/web', on('n1', 'n2', 'n3'), 0);
    read(former, 'default/web', on('n2', 'n3'), 100);
    read(former, 'default/web', on('n3'), 600);
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
    read(former, 'default/web', on('n1', 'n2'), 0);
    read(former, 'default/web', on('n2'), 100);
    read(former, 'default/web', on('n1', 'n2'), 200);
    read(former, 'default/web', on('n2'), 900);
    expect(former.expire(1500, limit)).to.equal(false);
    expect(noted(former)).to.deep.equal(['n1']);
  });

  it('are the same set as long as they are the same', () => {
    const former = new FormerCarriers();
    read(former, 'default/web', on('n1', 'n2'), 0);
    read(former, 'default/web', on('n2'), 100);
    const before = former.of('default/web');
    read(former, 'default/web', on('n1', 'n2'), 200);
    expect(former.of('default/web')).to.equal(before);
  });

  it('are forgotten when another node comes, with one that goes as well', () => {
    const former = new FormerCarriers();
    read(former, 'default/web', on('n1', 'n2'), 0);
    read(former, 'default/web', on('n2'), 100);
    read(former, 'default/web', on('n2', 'n4'), 200);
    expect([noted(former), former.isIdle]).to.deep.equal([[], true]);
    read(former, 'default/web', on('n4', 'n5'), 300);
    expect([noted(former), former.isIdle]).to.deep.equal([[], true]);
  });

  it('are forgotten with the Service, and with its policy Local', () => {
    const former = new FormerCarriers();
    read(former, 'default/web', on('n1', 'n2'), 0);
    read(former, 'default/web', on('n2'), 100);
    read(former, 'default/web', undefined, 200);
    expect([noted(former), former.isIdle]).to.deep.equal([[], true]);
  });

  it('are forgotten at once where the limit is 0', () => {
    const former = new FormerCarriers();
    read(former, 'default/web', on('n1', 'n2'), 0);
    read(former, 'default/web', on('n2'), 100);
    former.expire(100, 0);
    expect(noted(former)).to.deep.equal([]);
  });

  describe('after a restart', () => {
    /** n1 left at 100, and is kept at 300 by one that was started 5 ms before. */
    function restarted(): FormerCarriers {
      const before = new FormerCarriers();
      read(before, 'default/web', on('n1', 'n2', 'n3'), 0);
      read(before, 'default/web', on('n2', 'n3'), 100);
      read(before, 'default/other', on('n1'), 100);
      const after = new FormerCarriers();
      after.recall(before.kept(300), 5);
      return after;
    }

    it('are those of before, with the time that they had left', () => {
      const former = restarted();
      expect([former.isIdle, [...former.kept(5).keys()]]).to.deep.equal([false, ['default/web']]);
      read(former, 'default/web', on('n2', 'n3'), 5);
      expect(noted(former)).to.deep.equal(['n1']);
      expect([...former.kept(5).values()]).to.deep.equal([
        {
          carrying: { 4: ['n2', 'n3'], 6: [] },
          left: { 4: new Map([['n1', 200]]), 6: new Map() },
        },
      ]);
      expect(former.expire(804, limit)).to.equal(false);
      expect(former.expire(805, limit)).to.equal(true);
      expect([noted(former), former.isIdle, former.kept(805).size]).to.deep.equal([[], true, 0]);
    });

    it('are also those that went meanwhile, and none when a node came', () => {
      const went = restarted();
      read(went, 'default/web', on('n3'), 5);
      expect(noted(went)).to.deep.equal(['n1', 'n2']);
      const came = restarted();
      read(came, 'default/web', on('n2', 'n3', 'n4'), 5);
      expect([noted(came), came.isIdle]).to.deep.equal([[], true]);
    });

    it('are forgotten after the limit though their Service is not read, and with one that is not under Local', () => {
      const unread = restarted();
      unread.expire(805, limit);
      expect(unread.isIdle).to.equal(true);
      const cluster = restarted();
      read(cluster, 'default/web', undefined, 5);
      expect([cluster.isIdle, cluster.kept(5).size]).to.deep.equal([true, 0]);
    });

    it('are not those of more Services than are kept', () => {
      const former = new FormerCarriers();
      for (const name of ['a', 'b', 'c']) {
        read(former, name, on('n1', 'n2'), 0);
        read(former, name, on('n2'), 0);
      }
      expect([...former.kept(0, 2).keys()]).to.deep.equal(['a', 'b']);
    });

    it('are kept anew whenever they change, and only then', () => {
      const former = new FormerCarriers();
      const steps: readonly (readonly [() => unknown, number])[] = [
        [() => read(former, 'default/web', on('n1', 'n2', 'n3'), 0), 0],
        [() => read(former, 'default/web', on('n2', 'n3'), 0), 1],
        [() => read(former, 'default/web', on('n2', 'n3'), 100), 0],
        [() => read(former, 'default/web', on('n3'), 100), 1],
        [() => read(former, 'default/web', on('n1', 'n3'), 100), 1],
        [() => former.expire(500, limit), 0],
        [() => former.expire(1000, limit), 1],
        [() => read(former, 'default/web', undefined, 1000), 1],
        [() => read(former, 'default/web', undefined, 1000), 0],
      ];
      for (const [i, [step, more]] of steps.entries()) {
        const before = former.changes;
        step();
        expect(former.changes - before, `step ${i}`).to.equal(more);
      }
    });
  });
});
