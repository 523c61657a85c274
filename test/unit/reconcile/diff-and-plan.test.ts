import { expect } from 'chai';
import type { DeleteLimits } from '../../../src/model/delete-limits.ts';
import { DesiredTable } from '../../../src/model/desired.ts';
import { parseIp } from '../../../src/model/ip.ts';
import type {
  KernelObject,
  NatEip,
  NatGroup,
  ProxyNeighbour,
  Rule,
  Sysctl,
} from '../../../src/model/object.ts';
import { Actual } from '../../../src/reconcile/actual.ts';
import { diff, references, unpinned } from '../../../src/reconcile/diff.ts';
import { plan, type Restraints } from '../../../src/reconcile/plan.ts';
import type { PlannedChange } from '../../../src/reconcile/report.ts';
import { nothingWithdrawn } from '../../../src/reconcile/withdrawals.ts';
import { listing } from '../../scene.ts';
import { adding, byKey, deleting, group, nexthop, replacing, route, say, wanted } from './objects.ts';

const neighbour: ProxyNeighbour = { kind: 'neighbour', ip: parseIp('198.51.100.1'), link: 3, protocol: 86 };
const rule: Rule = {
  kind: 'rule',
  family: 4,
  priority: 1000,
  protocol: 86,
  table: 100,
  from: undefined,
  to: undefined,
  mark: undefined,
  iif: undefined,
};
const forward = (value: string): Sysctl => ({ kind: 'sysctl', name: 'net/ipv4/ip_forward', value });
const all: readonly KernelObject[] = [rule, route(1, 7), neighbour, group(7, [1]), nexthop(1), forward('1')];

function planned(
  want: readonly KernelObject[],
  have: readonly KernelObject[],
  former = {},
): readonly string[] {
  return differences(want, new Actual(listing(have, { former }))).map(say);
}

function differences(want: readonly KernelObject[], actual: Actual): readonly PlannedChange[] {
  return diff(tableOf(want), actual);
}

function tableOf(want: readonly KernelObject[]): DesiredTable {
  const table = new DesiredTable();
  for (const { object, why } of want.map(wanted)) table.set(object, why);
  return table;
}

describe('a diff', () => {
  const upward = [
    'add sysctl net/ipv4/ip_forward',
    'add nexthop 1',
    'add nexthop 7',
    'add route 254 198.51.100.1/32 0',
    'add rule 4 1000 86 100 undefined undefined undefined/undefined undefined',
    'add neighbour 3 198.51.100.1',
  ];

  it('builds from the bottom up', () => {
    expect(planned(all, [])).to.deep.equal(upward);
  });

  it('has router advertisements heard by a host that forwards before it forwards, and until it does no more', () => {
    const settings: readonly Sysctl[] = [
      { kind: 'sysctl', name: 'net/ipv6/conf/eth1/forwarding', value: '1' },
      { kind: 'sysctl', name: 'net/ipv6/conf/all/forwarding', value: '1' },
      { kind: 'sysctl', name: 'net/ipv6/conf/eth1/accept_ra', value: '2' },
    ];
    expect(planned(settings, [])).to.deep.equal([
      'add sysctl net/ipv6/conf/eth1/accept_ra',
      'add sysctl net/ipv6/conf/eth1/forwarding',
      'add sysctl net/ipv6/conf/all/forwarding',
    ]);
    const former = Object.fromEntries(settings.map(({ name }) => [name, '0']));
    expect(planned([], settings, former)).to.deep.equal([
      'delete sysctl net/ipv6/conf/all/forwarding',
      'delete sysctl net/ipv6/conf/eth1/forwarding',
      'delete sysctl net/ipv6/conf/eth1/accept_ra',
    ]);
  });

  it('takes away from the top down', () => {
    const taken = upward.slice(1).map((line) => line.replace('add', 'delete'));
    expect(planned([], all)).to.deep.equal(taken.reverse());
  });

  it('builds before it takes away', () => {
    const want = [group(8, [2]), route(1, 8), nexthop(2)];
    const have = [group(7, [1]), route(1, 7), nexthop(1)];
    expect(planned(want, have)).to.deep.equal([
      'add nexthop 2',
      'add nexthop 8',
      'replace route 254 198.51.100.1/32 0',
      'delete nexthop 7',
      'delete nexthop 1',
    ]);
  });

  it('gives back a setting that only the ledger says is ours', () => {
    expect(planned([], [forward('1')])).to.deep.equal([]);
    expect(planned([], [forward('1')], { 'net/ipv4/ip_forward': '0' })).to.deep.equal([
      'delete sysctl net/ipv4/ip_forward',
    ]);
    expect(planned([forward('1')], [forward('1')], { 'net/ipv4/ip_forward': '0' })).to.deep.equal([]);
    expect(planned([], [], { 'net/ipv4/ip_forward': '0' }), 'its interface is gone').to.deep.equal([]);
  });

  it('counts what is wanted', () => {
    expect(tableOf(all).counts).to.deep.equal({
      sysctl: 1,
      nexthop: 1,
      group: 1,
      neighbour: 1,
      nft: 0,
      'nat-group': 0,
      'nat-eip': 0,
      route: 1,
      rule: 1,
    });
  });
});

describe('what names another', () => {
  it('is a group and a route', () => {
    expect(references(group(7, [1, 2]))).to.deep.equal(['nexthop 1', 'nexthop 2']);
    expect(references(route(1, 7))).to.deep.equal(['nexthop 7']);
    for (const one of [route(1, undefined), nexthop(1), neighbour, rule, forward('1')]) {
      expect(references(one)).to.deep.equal([]);
    }
  });

  it('pins it, however far down', () => {
    const have = [route(1, 7), group(7, [1, 2]), nexthop(1), nexthop(2), nexthop(3)];
    const deletes = [deleting(group(7, [1, 2])), ...[1, 2, 3].map((id) => deleting(nexthop(id)))];
    expect(unpinned(deletes, [route(1, 7)], byKey(have)).map(say)).to.deep.equal(['delete nexthop 3']);
    expect(unpinned(deletes, [], byKey(have))).to.equal(deletes);
    expect(unpinned(deletes, [route(1, undefined)], byKey(have))).to.equal(deletes);
  });
});

describe('a plan', () => {
  const limits: DeleteLimits = { share: 1, window: 0, always: 0, hold: 0 };
  const calm: Restraints = {
    limits,
    agreed: false,
    complete: true,
    holdUntil: 0,
    fights: new Map(),
    now: 100,
    withdrawn: nothingWithdrawn,
    released: new Map(),
    isEvident: () => false,
    isDecided: () => false,
  };

  function planOf(
    want: readonly KernelObject[],
    have: readonly KernelObject[],
    { refused = [], ...restraints }: Partial<Restraints> & { readonly refused?: readonly PlannedChange[] },
  ) {
    const actual = new Actual(listing(have));
    for (const one of refused) {
      const key = say(one).replace(/^\w+ /, '');
      actual.refuse(key, { change: one, code: 'EPERM', message: 'EPERM' });
    }
    const found = plan(differences(want, actual), actual, { ...calm, ...restraints });
    return {
      go: [...found.builds, ...found.deletes].map(say),
      held: found.held.map((one) => `${say(one)}: ${one.reason}`),
    };
  }

  it('leaves alone what is fought over until its time, and not longer', () => {
    const fights = (until: number) => new Map([['nexthop 1', { until }]]);
    expect(planOf([nexthop(1), nexthop(2)], [], { fights: fights(101) })).to.deep.equal({
      go: ['add nexthop 2'],
      held: ['add nexthop 1: fight'],
    });
    expect(planOf([nexthop(1)], [], { fights: fights(100) }).go).to.deep.equal(['add nexthop 1']);
  });

  it('does not try what names something that waits', () => {
    const want = [nexthop(1), nexthop(2), group(7, [1, 2]), group(8, [2]), route(1, 7), route(2, 8)];
    const rest = ['add nexthop 2', 'add nexthop 8', 'add route 254 198.51.100.2/32 0'];
    const names = [
      'add nexthop 7: names what is missing',
      'add route 254 198.51.100.1/32 0: names what is missing',
    ];
    expect(planOf(want, [], { refused: [adding(nexthop(1))] })).to.deep.equal({
      go: rest,
      held: names,
    });
    expect(planOf(want, [], { fights: new Map([['nexthop 1', { until: 500 }]]) }).go).to.deep.equal(rest);
  });

  it('leads no route to a group that still has its former members', () => {
    const [old, next] = [group(7, [1]), group(7, [1, 2])];
    const refused = [replacing(old, next)];
    const found = planOf([nexthop(1), nexthop(2), next, route(1, 7)], [nexthop(1), nexthop(2), old], {
      refused,
    });
    expect(found).to.deep.equal({
      go: [],
      held: ['add route 254 198.51.100.1/32 0: names what is missing'],
    });
  });

  it('leaves a route on such a group alone', () => {
    const [old, next] = [group(7, [1]), group(7, [1, 2])];
    const have = [nexthop(1), nexthop(2), old, { ...route(1, 7), src: parseIp('198.51.100.9') }];
    const found = planOf([nexthop(1), nexthop(2), next, route(1, 7)], have, {
      refused: [replacing(old, next)],
    });
    expect(found).to.deep.equal({ go: ['replace route 254 198.51.100.1/32 0'], held: [] });
  });

  it('leads NAT no sooner than routes to such a group, and no EIP to NAT that waits with it', () => {
    const [old, next] = [group(7, [1]), group(7, [1, 2])];
    const nat = (id: number, ...nodes: readonly number[]): NatGroup => {
      const buckets = nodes.map((node) => nexthop(node).via);
      return { kind: 'nat-group', id, protocol: 86, family: 4, buckets, seed: 1, intact: true };
    };
    const eip = (to: number): NatEip => {
      const port = {
        protocol: 'tcp',
        port: 80,
        nodePort: 30080,
        affinity: 'address',
        ranges: undefined,
      } as const;
      const ports = [{ ...port, group: to }];
      return { kind: 'nat-eip', eip: parseIp('198.51.100.1'), protocol: 86, ports, intact: true };
    };
    const both = [nexthop(1), nexthop(2), group(8, [2]), nat(8, 2)];
    const have = [...both, old, nat(7, 1), eip(8)];
    const found = planOf([...both, next, nat(7, 1, 2), eip(7)], have, { refused: [replacing(old, next)] });
    expect(found).to.deep.equal({
      go: [],
      held: [replacing(nat(7, 1), nat(7, 1, 2)), replacing(eip(8), eip(7))].map(
        (one) => `${say(one)}: names what is missing`,
      ),
    });
  });

  it('keeps what a refused change leaves in use, however far down', () => {
    const have = [nexthop(1), group(7, [1]), route(1, 7)];
    const move = replacing(route(1, 7), route(1, 8));
    const found = planOf([nexthop(2), group(8, [2]), route(1, 8)], have, { refused: [move] });
    expect(found).to.deep.equal({
      go: ['add nexthop 2', 'add nexthop 8'],
      held: ['delete nexthop 7: still named', 'delete nexthop 1: still named'],
    });
  });

  it('tries the same key with other content', () => {
    const refused = [adding(route(1, 7))];
    expect(planOf([route(1, 8)], [], { refused }).go).to.deep.equal(['add route 254 198.51.100.1/32 0']);
    expect(planOf([route(1, 7)], [], { refused }).go).to.deep.equal([]);
  });

  it('keeps what a held delete names', () => {
    const have = [nexthop(1), group(7, [1]), route(1, 7), route(2, 7)];
    const found = planOf([], have, { limits: { share: 0.1, window: 0, always: 0, hold: 0 } });
    expect(found.go).to.deep.equal([]);
    expect(found.held).to.deep.equal([
      'delete route 254 198.51.100.1/32 0: too many at once',
      'delete route 254 198.51.100.2/32 0: too many at once',
      'delete nexthop 1: too many at once',
      'delete nexthop 7: still named',
    ]);
  });
});
