import { expect } from 'chai';
import { groups } from '../../../src/desire/groups.ts';
import { Ids } from '../../../src/desire/ids.ts';
import type { Refusals } from '../../../src/model/desired-object.ts';
import type { KernelObject, Member, NexthopGroup, Resilience, Route } from '../../../src/model/object.ts';
import { ownerOf } from '../../../src/model/owner.ts';
import { listing } from '../../scene.ts';

const owner = ownerOf(86);
const [firstGroup] = owner.groupIds;
const nothing: Refusals = new Map();

/** `1 2*3`: ids of nexthops with their weights. */
function members(text: string): readonly Member[] {
  return text.split(' ').map((word) => {
    const [id, weight = 1] = word.split('*').map(Number);
    return { id: owner.nexthopIds[0] + (id ?? 0), weight };
  });
}

function group(nth: number, text: string, resilience?: Resilience): NexthopGroup {
  return { kind: 'group', id: firstGroup + nth, protocol: 86, members: members(text), resilience };
}

function route(last: number, to: number): Route {
  const dst = `198.51.100.${last}/32` as Route['dst'];
  const rest = { metric: 0, protocol: 86, type: 'unicast', hops: [], src: undefined } as const;
  return { kind: 'route', table: 254, dst, nhid: firstGroup + to, ...rest };
}

/** What each demand gets, as `nth: members`. */
function chosen(
  demands: readonly { readonly members: string; readonly eips: readonly number[] }[],
  have: readonly KernelObject[],
  rest: {
    readonly resilience?: Resilience;
    readonly refused?: Refusals;
    readonly foreignIds?: readonly number[];
    readonly kept?: readonly number[];
  } = {},
): readonly string[] {
  const kept = new Set((rest.kept ?? []).map((nth) => firstGroup + nth));
  return groups(
    demands.map((one) => ({
      members: members(one.members),
      users: one.eips.map((last) => `route 254 198.51.100.${last}/32 0`),
    })),
    rest.resilience,
    owner,
    listing(have, { foreignIds: rest.foreignIds ?? [] }),
    rest.refused ?? nothing,
    kept,
  ).map(
    ({ id, members: list }) =>
      `${id - firstGroup}: ${list.map((one) => `${one.id - owner.nexthopIds[0]}${one.weight === 1 ? '' : `*${one.weight}`}`).join(' ')}`,
  );
}

describe('groups', () => {
  it('get the lowest free ids on an empty kernel', () => {
    const demands = [
      { members: '1 2', eips: [1] },
      { members: '1', eips: [2] },
    ];
    expect(chosen(demands, [])).to.deep.equal(['0: 1 2', '1: 1']);
  });

  it('are adopted by their content, whatever uses them now', () => {
    expect(chosen([{ members: '1 2', eips: [1] }], [group(7, '1 2'), group(3, '1')])).to.deep.equal([
      '7: 1 2',
    ]);
  });

  it('are adopted with the lowest id of twins', () => {
    expect(chosen([{ members: '1 2', eips: [1] }], [group(7, '1 2'), group(3, '1 2')])).to.deep.equal([
      '3: 1 2',
    ]);
  });

  it('are adopted where most routes lead already, of twins', () => {
    const have = [group(3, '1 2'), group(7, '1 2'), route(1, 7)];
    expect(chosen([{ members: '1 2', eips: [1] }], have)).to.deep.equal(['7: 1 2']);
  });

  it('are the very objects of the dump where nothing differs', () => {
    const have = group(7, '1 2');
    const [found] = groups(
      [{ members: members('1 2'), users: [] }],
      undefined,
      owner,
      listing([have]),
      nothing,
      new Set(),
    );
    expect(found).to.equal(have);
  });

  it('change in place when all their users go to the same new members', () => {
    const have = [group(0, '1 2 3'), route(1, 0), route(2, 0)];
    expect(chosen([{ members: '1 2', eips: [1, 2] }], have)).to.deep.equal(['0: 1 2']);
  });

  it('change in place although a user goes away', () => {
    const have = [group(0, '1 2 3'), route(1, 0), route(2, 0)];
    expect(chosen([{ members: '1 2', eips: [1] }], have)).to.deep.equal(['0: 1 2']);
  });

  it('stay as they are when their users part', () => {
    const have = [group(0, '1 2 3'), route(1, 0), route(2, 0)];
    const demands = [
      { members: '1 2', eips: [1] },
      { members: '2 3', eips: [2] },
    ];
    expect(chosen(demands, have)).to.deep.equal(['1: 1 2', '2: 2 3']);
  });

  it('that two sets of users merge into change in place where most users are', () => {
    const have = [group(0, '1'), group(1, '2'), route(1, 0), route(2, 1), route(3, 1)];
    expect(chosen([{ members: '1 2', eips: [1, 2, 3] }], have)).to.deep.equal(['1: 1 2']);
  });

  it('are not changed in place while another demand wants them as they are', () => {
    const have = [group(0, '1'), route(1, 0)];
    const demands = [
      { members: '2', eips: [1] },
      { members: '1', eips: [2] },
    ];
    expect(chosen(demands, have)).to.deep.equal(['1: 2', '0: 1']);
  });

  it('swap their users, not their members', () => {
    const have = [group(0, '1'), group(1, '2'), route(1, 0), route(2, 1)];
    const demands = [
      { members: '2', eips: [1] },
      { members: '1', eips: [2] },
    ];
    expect(chosen(demands, have)).to.deep.equal(['1: 2', '0: 1']);
  });

  it('are not changed in place while a route that is kept as it is uses them', () => {
    const have = [group(0, '1 2'), route(1, 0), route(2, 0)];
    expect(chosen([{ members: '1', eips: [1] }], have, { kept: [0] })).to.deep.equal(['1: 1']);
  });

  it('take over new weights in place', () => {
    const have = [group(0, '1 2'), route(1, 0)];
    expect(chosen([{ members: '1*2 2*3', eips: [1] }], have)).to.deep.equal(['0: 1*2 2*3']);
  });

  const resilience: Resilience = { buckets: 32, idleTimer: 60, unbalancedTimer: 0 };

  it('become others when type or bucket count change, which cannot change in place', () => {
    const demands = [{ members: '1 2', eips: [1] }];
    const have = (old?: Resilience) => [group(0, '1 2', old), route(1, 0)];
    expect(chosen(demands, have(), { resilience })).to.deep.equal(['1: 1 2']);
    expect(chosen(demands, have(resilience))).to.deep.equal(['1: 1 2']);
    expect(chosen(demands, have({ ...resilience, buckets: 64 }), { resilience })).to.deep.equal(['1: 1 2']);
  });

  it('take over new timers in place', () => {
    const have = [group(0, '1 2', { ...resilience, idleTimer: 1 }), route(1, 0)];
    expect(chosen([{ members: '1 2', eips: [1] }], have, { resilience })).to.deep.equal(['0: 1 2']);
  });

  it('get ids that are free and were not refused just now', () => {
    const refused: Refusals = new Map([
      [
        `nexthop ${firstGroup + 1}`,
        { change: { verb: 'add', want: group(1, '9') }, code: 'EINVAL', message: '' },
      ],
    ]);
    const rest = { refused, foreignIds: [firstGroup] };
    expect(chosen([{ members: '1 2', eips: [1] }], [group(2, '7'), route(9, 2)], rest)).to.deep.equal([
      '3: 1 2',
    ]);
  });
});

describe('ids', () => {
  it('end with an error that says so', () => {
    const ids = new Ids([5, 6], listing([], { foreignIds: [5] }), nothing);
    expect(ids.take()).to.equal(6);
    expect(() => ids.take()).to.throw(RangeError, 'all nexthop ids up to 6 are in use');
  });
});
