import type { Prefix } from './ip.ts';
import {
  type Hop,
  type KernelObject,
  keyOf,
  type Member,
  type NatGroup,
  type NatPort,
  type Resilience,
} from './object.ts';

/** Structural equality; false for different kinds. */
export function equal(a: KernelObject, b: KernelObject): boolean {
  if (a === b) return true;
  switch (a.kind) {
    case 'nexthop':
      return (
        b.kind === 'nexthop' &&
        a.id === b.id &&
        a.protocol === b.protocol &&
        a.via === b.via &&
        a.link === b.link
      );
    case 'group':
      return (
        b.kind === 'group' &&
        a.id === b.id &&
        a.protocol === b.protocol &&
        sameMembers(a.members, b.members) &&
        sameResilience(a.resilience, b.resilience)
      );
    case 'route':
      return (
        b.kind === 'route' &&
        a.dst === b.dst &&
        a.table === b.table &&
        a.metric === b.metric &&
        a.protocol === b.protocol &&
        a.type === b.type &&
        a.nhid === b.nhid &&
        a.src === b.src &&
        sameHops(a.hops, b.hops)
      );
    case 'rule':
      return b.kind === 'rule' && keyOf(a) === keyOf(b);
    case 'neighbour':
      return b.kind === 'neighbour' && a.ip === b.ip && a.link === b.link && a.protocol === b.protocol;
    case 'sysctl':
      return b.kind === 'sysctl' && a.name === b.name && a.value === b.value;
    case 'nft':
      return b.kind === 'nft' && keyOf(a) === keyOf(b) && a.protocol === b.protocol && a.digest === b.digest;
    case 'nat-group':
      return b.kind === 'nat-group' && sameNatGroup(a, b);
    case 'nat-eip':
      return (
        b.kind === 'nat-eip' &&
        a.eip === b.eip &&
        a.protocol === b.protocol &&
        a.intact === b.intact &&
        a.ports.length === b.ports.length &&
        a.ports.every((port, i) => samePort(port, b.ports[i]))
      );
    default:
      return a satisfies never;
  }
}

export function sameMembers(a: readonly Member[], b: readonly Member[]): boolean {
  return a.length === b.length && a.every((one, i) => one.id === b[i]?.id && one.weight === b[i]?.weight);
}

export function sameResilience(a: Resilience | undefined, b: Resilience | undefined): boolean {
  return (
    a?.buckets === b?.buckets && a?.idleTimer === b?.idleTimer && a?.unbalancedTimer === b?.unbalancedTimer
  );
}

function sameNatGroup(a: NatGroup, b: NatGroup): boolean {
  return (
    a.id === b.id &&
    a.protocol === b.protocol &&
    a.family === b.family &&
    a.seed === b.seed &&
    a.intact === b.intact &&
    a.buckets.length === b.buckets.length &&
    a.buckets.every((ip, i) => ip === b.buckets[i])
  );
}

export function samePort(a: NatPort, b: NatPort | undefined): boolean {
  return (
    a.protocol === b?.protocol &&
    a.port === b.port &&
    a.nodePort === b.nodePort &&
    a.group === b.group &&
    a.affinity === b.affinity &&
    sameRanges(a.ranges, b.ranges)
  );
}

function sameRanges(a: readonly Prefix[] | undefined, b: readonly Prefix[] | undefined): boolean {
  return a === b || (a?.length === b?.length && (a ?? []).every((prefix, i) => prefix === b?.[i]));
}

function sameHops(a: readonly Hop[], b: readonly Hop[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => one.via === b[i]?.via && one.link === b[i]?.link && one.weight === b[i]?.weight)
  );
}
