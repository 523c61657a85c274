import { changeObject, equal, type KernelObject, type Key, keyOf } from '../model/object.ts';
import type { Wanted, Why } from '../model/want.ts';
import type { Picture } from './picture.ts';
import type { Counts, Due } from './report.ts';

/** Make before break: what is named stands before what names it. */
const rank: Readonly<Record<KernelObject['kind'], number>> = {
  sysctl: 0,
  nexthop: 1,
  group: 2,
  neighbour: 3,
  // The guard of a node stands before the rules that lead packets to its sockets.
  nft: 4,
  route: 5,
  rule: 6,
};

export interface Plan {
  /** In an order in which each is possible: what is built, bottom up, then what is taken away, top down. */
  readonly due: readonly Due[];
  /** Objects wanted, by kind. */
  readonly wanted: Counts;
}

/** Why an object was wanted when it last was; undefined when we never knew. */
export type Formerly = (key: Key) => Why | undefined;

/** The changes that lead from what is there to what is wanted. */
export function plan(want: readonly Wanted[], have: Picture, formerly: Formerly = () => undefined): Plan {
  const wanted = { sysctl: 0, nexthop: 0, group: 0, neighbour: 0, nft: 0, route: 0, rule: 0 };
  const builds: Due[] = [];
  const unmet = new Set<Wanted>();
  const lookedUp = new Set<Key>();
  const before = have.met?.want ?? [];
  /** Of what was wanted before, what is not any more. */
  const dropped: Wanted[] = [];
  let met = 0;
  // Where `before` goes on as `want` does, nothing has to be looked up: they go side by side.
  let shift = 0;
  let next = 0;
  for (let i = 0; i < want.length; i += 1) {
    const one = want[i];
    if (one === undefined) continue;
    const { key, object, why } = one;
    wanted[object.kind] += 1;
    if (before[i + shift] !== one) shift += aside(before, i + shift, one, want[i + 1]);
    const at = i + shift;
    if (before[at] === one) {
      if (at > next) for (const other of before.slice(next, at)) dropped.push(other);
      next = at + 1;
      if (!have.met?.unmet.has(one)) {
        if (object.kind !== 'sysctl') met += 1;
        continue;
      }
    }
    lookedUp.add(key);
    const present = have.objects.get(key);
    if (present !== undefined && object.kind !== 'sysctl') met += 1;
    if (present === undefined) builds.push({ change: { verb: 'add', want: object }, why });
    else if (!equal(object, present))
      builds.push({ change: { verb: 'replace', want: object, have: present }, why });
    else continue;
    unmet.add(one);
  }
  have.met = { want, unmet };
  builds.sort((a, b) => rankOf(a) - rankOf(b));
  const gone = dropped.concat(before.slice(next)).filter(({ key }) => !lookedUp.has(key));
  return { due: [...builds, ...deletes(want, have, met, gone, formerly)], wanted };
}

/** How the two lists have come apart: one more in front of `one`, one less, or another in its place. */
function aside(before: readonly Wanted[], at: number, one: Wanted, next: Wanted | undefined): -1 | 0 | 1 {
  if (before[at + 1] === one) return 1;
  return next !== undefined && before[at] === next ? -1 : 0;
}

/**
 * @param met how many of what is there is wanted, sysctls left out
 * @param dropped what was wanted the last time and is not any more
 */
function deletes(
  want: readonly Wanted[],
  have: Picture,
  met: number,
  dropped: readonly Wanted[],
  formerly: Formerly,
): readonly Due[] {
  const unwanted = have.objects.size - have.sysctls - met;
  if (wantsFewerSysctls(want, have)) return withdrawals(walk(want, have), formerly);
  // Told by counting, without a second walk over everything: the common round deletes nothing, and most of the
  // others just what was wanted until now.
  if (unwanted === 0) return [];
  const there = dropped.map(({ key }) => have.objects.get(key)).filter(isTracked);
  const reasons = new Map(dropped.map(({ key, why }) => [key, why]));
  const known: Formerly = (key) => reasons.get(key) ?? formerly(key);
  return withdrawals(there.length === unwanted ? there : walk(want, have), known);
}

function isTracked(object: KernelObject | undefined): object is KernelObject {
  return object !== undefined && object.kind !== 'sysctl';
}

/** All that is there and not wanted. */
function walk(want: readonly Wanted[], have: Picture): readonly KernelObject[] {
  const keys = new Set(want.map(({ key }) => key));
  const result: KernelObject[] = [];
  for (const [key, object] of have.objects) {
    if (keys.has(key)) continue;
    // A sysctl is listed because we may set it; only the ledger tells that we did.
    if (object.kind === 'sysctl' && !have.formerSysctls.has(object.name)) continue;
    result.push(object);
  }
  return result;
}

function withdrawals(objects: readonly KernelObject[], formerly: Formerly): readonly Due[] {
  return objects
    .map((have): Due => ({ change: { verb: 'delete', have }, why: noLonger(formerly(keyOf(have))) }))
    .sort((a, b) => rankOf(b) - rankOf(a));
}

const forgotten: Why = { text: 'no longer wanted' };

/** The Service's name travels to the end: it is what the journal tells, and what the guard counts by. */
function noLonger(before: Why | undefined): Why {
  if (before === undefined) return forgotten;
  return before.text.startsWith(forgotten.text)
    ? before
    : { ...before, text: `${forgotten.text}: ${before.text}` };
}

function wantsFewerSysctls(want: readonly Wanted[], have: Picture): boolean {
  if (have.formerSysctls.size === 0) return false;
  const names = new Set<string>();
  for (const { object } of want) if (object.kind === 'sysctl') names.add(object.name);
  for (const name of have.formerSysctls.keys()) if (!names.has(name)) return true;
  return false;
}

function rankOf({ change }: Due): number {
  return rank[changeObject(change).kind];
}

export function isDelete({ change }: Due): boolean {
  return change.verb === 'delete';
}

/** Keys of the objects that this one cannot be without. */
export function references(object: KernelObject): readonly Key[] {
  switch (object.kind) {
    case 'group':
      return object.members.map(({ id }) => `nexthop ${id}`);
    case 'route':
      return object.nhid === undefined ? [] : [`nexthop ${object.nhid}`];
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
 * Leaves out the deletes of what something that stays still names, however far down.
 *
 * @param stays objects that remain in the kernel although they are not wanted as they are
 */
export function unpinned(
  deletes: readonly Due[],
  stays: readonly KernelObject[],
  have: ReadonlyMap<Key, KernelObject>,
): readonly Due[] {
  const pinned = new Set<Key>();
  const queue = [...stays];
  for (let object = queue.pop(); object !== undefined; object = queue.pop()) {
    for (const key of references(object)) {
      if (pinned.has(key)) continue;
      pinned.add(key);
      const next = have.get(key);
      if (next) queue.push(next);
    }
  }
  return pinned.size === 0
    ? deletes
    : deletes.filter(({ change }) => !pinned.has(keyOf(changeObject(change))));
}
