import { type Candidates, type Carrier, usable } from '../desire/carriers.ts';
import type { Service } from '../model/cluster.ts';
import type { Family } from '../model/ip.ts';
import { type ByFamily, nobody } from '../model/probed.ts';

/** The nodes that carry under Cluster, by cluster. */
export function carryingNodes({ every }: Candidates): ReadonlyMap<string | undefined, ByFamily> {
  const names = (carriers: readonly Carrier[]): ReadonlySet<string> =>
    new Set(carriers.map(({ node }) => node));
  return new Map([...every].map(([cluster, of]) => [cluster, { 4: names(of[4]), 6: names(of[6]) }]));
}

/** The nodes with endpoints that take new connections; undefined: it is not under Local, so where they are does not count. */
export function carrying(service: Service): ByFamily | undefined {
  if (service.externalTrafficPolicy !== 'Local') return undefined;
  const nodes = (of: Family): ReadonlySet<string> => {
    const endpoints = usable(service, of);
    return endpoints.length === 0 ? nobody : new Set(endpoints.flatMap(({ node }) => node ?? []));
  };
  return { 4: nodes(4), 6: nodes(6) };
}
