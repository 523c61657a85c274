import type { DesiredTable, KernelState } from '../model/desired.ts';
import type { DesiredObject, Why } from '../model/desired-object.ts';
import { onlyIp, type Prefix } from '../model/ip.ts';
import { natTableName } from '../model/nat.ts';
import {
  announcedBy,
  type Change,
  changeObject,
  isAnnouncement,
  type KernelObject,
  type Key,
  natEipKey,
  natGroupKey,
  nftKey,
  type Sysctl,
} from '../model/object.ts';
import { equal } from '../model/same-object.ts';
import type { PlannedChange } from './report.ts';

/** Make before break: an object is written before the objects that reference it. */
const rank: Readonly<Record<KernelObject['kind'], number>> = {
  sysctl: 2,
  nexthop: 3,
  group: 4,
  // The nft table of a node protects its sockets before rules lead packets to them.
  nft: 5,
  // Before the route leads packets to this host, they are sure to get the address of a node.
  'nat-group': 6,
  'nat-eip': 7,
  route: 8,
  rule: 9,
  // What announces comes after the EIP's own route, and is withdrawn before it: nobody may be told of what is not there.
  neighbour: 11,
};

/** Of a route that announces. */
const announcementRank = 10;
const ranks = 12;

/**
 * IPv6 forwarding deletes the default routes of router advertisements, but on interfaces whose accept_ra is 2 by then: the
 * next advertisement may be ten minutes away. And forwarding as a whole writes that of each interface, whose former value
 * is read before.
 */
function sysctlRank({ name }: Sysctl): number {
  if (name.endsWith('/accept_ra')) return 0;
  return /\/conf\/(?!all\/).+\/forwarding$/.test(name) ? 1 : rank.sysctl;
}

/** What the diff reads of the desired table. */
export type Desired = Pick<DesiredTable, 'get' | 'former' | 'values'>;
/** What the diff reads of the kernel. */
export type Present = Pick<KernelState, 'objects' | 'formerSysctls'>;

/** The changes from the actual to the desired objects, {@link inOrder}. */
export function diff(desired: Desired, actual: Present): readonly PlannedChange[] {
  return inOrder(differences(desired, actual));
}

/** The changes from the actual to the desired objects, in no order; a walk over both. */
export function* differences(desired: Desired, actual: Present): Generator<PlannedChange> {
  for (const want of desired.values()) {
    const change = differenceOf(want.key, want, desired, actual);
    if (change !== undefined) yield change;
  }
  for (const key of actual.objects.keys()) {
    if (desired.get(key) !== undefined) continue;
    const change = differenceOf(key, undefined, desired, actual);
    if (change !== undefined) yield change;
  }
}

/** In an order that respects references: builds from the bottom up, then deletes from the top down. */
export function inOrder(changes: Iterable<PlannedChange>): readonly PlannedChange[] {
  const builds = Array.from({ length: ranks }, (): PlannedChange[] => []);
  const deletes = Array.from({ length: ranks }, (): PlannedChange[] => []);
  for (const one of changes) (isDelete(one) ? deletes : builds)[rankOf(one)]?.push(one);
  return [...builds, ...deletes.reverse()].flat();
}

/**
 * @param want what is desired of the key
 * @returns undefined: they do not differ
 */
export function differenceOf(
  key: Key,
  want: DesiredObject | undefined,
  desired: Pick<Desired, 'former'>,
  actual: Present,
): PlannedChange | undefined {
  const have = actual.objects.get(key);
  if (want === undefined) {
    if (have === undefined || !isOurs(have, actual)) return undefined;
    return { verb: 'delete', key, have, why: noLonger(desired.former(key)) };
  }
  const { object, why } = want;
  if (have === undefined) return { verb: 'add', key, want: object, why };
  return equal(object, have) ? undefined : { verb: 'replace', key, want: object, have, why };
}

/** The listing holds every sysctl of the scope; those in the ledger are ours. */
function isOurs(object: KernelObject, { formerSysctls }: Present): boolean {
  return object.kind !== 'sysctl' || formerSysctls.has(object.name);
}

const forgotten: Why = { text: 'no longer wanted' };

/** Keeps the names of the Services: the journal shows them, and the guard counts them. */
function noLonger(before: Why | undefined): Why {
  return before === undefined ? forgotten : { ...before, text: `${forgotten.text}: ${before.text}` };
}

function rankOf(change: Change): number {
  const object = changeObject(change);
  if (object.kind === 'route' && isAnnouncement(object)) return announcementRank;
  return object.kind === 'sysctl' ? sysctlRank(object) : rank[object.kind];
}

export function isDelete({ verb }: Change): boolean {
  return verb === 'delete';
}

/** Keys of the objects that this one references. */
export function references(object: KernelObject): readonly Key[] {
  switch (object.kind) {
    case 'group':
      return object.members.map(({ id }) => `nexthop ${id}`);
    case 'route':
      return object.nhid === undefined ? [] : [`nexthop ${object.nhid}`];
    case 'nat-group':
      return [`nexthop ${object.id}`, nftKey(natTableName(object.protocol))];
    case 'nat-eip':
      return [...new Set(object.ports.map(({ group }) => natGroupKey(group)))];
    case 'nexthop':
    case 'neighbour':
    case 'rule':
    case 'sysctl':
    case 'nft':
      return [];
    default:
      return object satisfies never;
  }
}

/**
 * Keys of the objects that come before this one and go after it, where there are any: those that it references, and the
 * NAT of an EIP, without which its route would lead packets to nodes as they are.
 */
export function foundations(object: KernelObject): readonly Key[] {
  const named = references(object);
  const eip = object.kind === 'route' && object.nhid !== undefined ? onlyIp(object.dst) : undefined;
  return eip === undefined ? named : [...named, natEipKey(eip)];
}

/**
 * Drops the deletes of objects that a remaining object references, transitively. What is still announced is referenced as
 * well: the route of its EIP stays.
 *
 * @param stays objects that remain in the kernel although a change of them is due
 */
export function unpinned(
  deletes: readonly PlannedChange[],
  stays: readonly KernelObject[],
  have: ReadonlyMap<Key, KernelObject>,
): readonly PlannedChange[] {
  // Before the lists are in all that stands may stay: a hundred thousand objects.
  if (deletes.length === 0) return deletes;
  const pinned = new Set<Key>();
  const announced = new Set<Prefix>();
  for (const object of stays) {
    const dst = announcedBy(object);
    if (dst !== undefined) announced.add(dst);
  }
  const isAnnounced = (change: Change): boolean => {
    const object = changeObject(change);
    return object.kind === 'route' && !isAnnouncement(object) && announced.has(object.dst);
  };
  const kept = announced.size === 0 ? [] : deletes.filter(isAnnounced);
  const queue = [...stays, ...kept.map(changeObject)];
  for (let object = queue.pop(); object !== undefined; object = queue.pop()) {
    for (const key of foundations(object)) {
      if (pinned.has(key)) continue;
      pinned.add(key);
      const next = have.get(key);
      if (next) queue.push(next);
    }
  }
  if (pinned.size === 0 && kept.length === 0) return deletes;
  return deletes.filter((one) => !(pinned.has(one.key) || isAnnounced(one)));
}
