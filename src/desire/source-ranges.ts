import { insideWords, type Service } from '../model/cluster.ts';
import {
  comparePrefixes,
  type Family,
  family,
  type Ip,
  isWithin,
  type Prefix,
  prefixLength,
} from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { nodePorts } from './nat-mode.ts';

/**
 * Entries that one Service may have in the sets of NAT: one for each port and network. Linux takes 0.4 s to delete 2,000
 * of them, and the square: 1.9 s for 5,000, and 19 s for 20,000, in which it changes nothing else of nftables.
 */
export const mostEntries = 2000;

/**
 * Who may connect by NAT; undefined: everybody; empty: nobody, which is also so where there would be too many entries: a
 * list that was meant to keep others out is no open door. As kube-proxy has it, networks of one family say nothing of
 * the other, and they bind a Service of type LoadBalancer alone.
 *
 * @returns sorted, none inside another
 */
export function admitted(service: Service, of: Family): readonly Prefix[] | undefined {
  const networks = networksOf(service, of);
  return networks === undefined || entries(service, networks) <= mostEntries ? networks : [];
}

/** The Service admits nobody, as it would have too many entries; undefined: it has not. */
export function tooManyRanges(eip: Ip, service: Service): Problem | undefined {
  const networks = networksOf(service, family(eip));
  if (networks === undefined || entries(service, networks) <= mostEntries) return undefined;
  const { key } = service;
  return {
    code: 'nat-too-many-ranges',
    severity: 'warn',
    subject: `${eip} of Service ${key}`,
    message: `Service ${key} lets ${networks.length} networks connect to ${nodePorts(service).length} ports by spec.loadBalancerSourceRanges, and NAT has room for ${mostEntries} pairs of both: nobody can connect to it at ${eip}`,
    advice: `${insideWords(key)}write wider networks, or put ${eip} into a pool of mode routed, where kube-proxy keeps the others out`,
    eip,
    service: key,
  };
}

function entries(service: Service, networks: readonly Prefix[]): number {
  return nodePorts(service).length * networks.length;
}

function networksOf({ type, sourceRanges }: Service, of: Family): readonly Prefix[] | undefined {
  if (sourceRanges === undefined || type !== 'LoadBalancer') return undefined;
  const networks = sourceRanges.filter((prefix) => family(prefix) === of);
  if (sourceRanges.length > 0 && networks.length === 0) return undefined;
  if (networks.some((prefix) => prefixLength(prefix) === 0)) return undefined;
  // nftables takes no two that overlap. What is inside a network comes after it, before what is beside it.
  const outer: Prefix[] = [];
  let last: Prefix | undefined;
  for (const network of networks.sort(comparePrefixes)) {
    if (last !== undefined && isWithin(network, last)) continue;
    outer.push(network);
    last = network;
  }
  return outer;
}
