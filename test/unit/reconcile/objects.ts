import type { DesiredObject } from '../../../src/model/desired-object.ts';
import { hostPrefix, parseIp } from '../../../src/model/ip.ts';
import {
  type Change,
  changeObject,
  type KernelObject,
  keyOf,
  type Nexthop,
  type NexthopGroup,
  type Route,
} from '../../../src/model/object.ts';
import type { PlannedChange } from '../../../src/reconcile/report.ts';

/** Objects of a small gateway, by small numbers; a nexthop's or group's id is its number. */

export function nexthop(id: number): Nexthop {
  return { kind: 'nexthop', id, protocol: 86, via: parseIp(`10.0.0.${10 + (id % 200)}`), link: 2 };
}

export function group(id: number, members: readonly number[]): NexthopGroup {
  return {
    kind: 'group',
    id,
    protocol: 86,
    members: members.map((member) => ({ id: member, weight: 1 })),
    resilience: undefined,
  };
}

export function route(last: number, nhid: number | undefined): Route {
  const type = nhid === undefined ? 'unreachable' : 'unicast';
  const dst = hostPrefix(parseIp(`198.51.100.${last}`));
  return { kind: 'route', table: 254, dst, metric: 0, protocol: 86, type, nhid, hops: [], src: undefined };
}

export function wanted(object: KernelObject): DesiredObject {
  return { key: keyOf(object), object, why: { text: 'a test' } };
}

function due(change: Change): PlannedChange {
  return { ...change, key: keyOf(changeObject(change)), why: { text: 'a test' } };
}

export const adding = (want: KernelObject): PlannedChange => due({ verb: 'add', want });
export const deleting = (have: KernelObject): PlannedChange => due({ verb: 'delete', have });
export const replacing = (have: KernelObject, want: KernelObject): PlannedChange =>
  due({ verb: 'replace', want, have });

/** `add nexthop 1`, `delete route 254 198.51.100.1/32 0` */
export function say(change: PlannedChange): string {
  return `${change.verb} ${keyOf(changeObject(change))}`;
}

export function byKey(objects: readonly KernelObject[]): ReadonlyMap<string, KernelObject> {
  return new Map(objects.map((object) => [keyOf(object), object]));
}
