import { families, type Ip } from '../model/ip.ts';
import { type FormerNodes, nobodyByFamily } from '../model/probed.ts';
import type { Candidate, Candidates } from './carriers.ts';

/** The names of the nodes that came, went or have other addresses, and of those whose former addresses are others. */
export function changedNames(before: Candidates, after: Candidates): Set<string> {
  return new Set([...changedKeys(before.byName, after.byName), ...changedKeys(before.former, after.former)]);
}

/** The names of the nodes that the others began or ceased to cover for. */
export function* turnedNames(
  { covered: before }: FormerNodes,
  { covered: after }: FormerNodes,
): Generator<string> {
  for (const cluster of new Set([...before.keys(), ...after.keys()])) {
    const former = before.get(cluster) ?? nobodyByFamily;
    const present = after.get(cluster) ?? nobodyByFamily;
    if (former === present) continue;
    for (const version of families) yield* former[version].symmetricDifference(present[version]);
  }
}

function* changedKeys(
  before: ReadonlyMap<string, Candidate>,
  after: ReadonlyMap<string, Candidate>,
): Generator<string> {
  for (const name of before.keys()) if (!after.has(name)) yield name;
  for (const [name, candidate] of after) if (!isSameCandidate(before.get(name), candidate)) yield name;
}

function isSameCandidate(a: Candidate | undefined, b: Candidate | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a.ipv4 === b.ipv4 && a.ipv6 === b.ipv6 && isSameCandidate(a.before, b.before);
}

/** Its addresses now, without those that it had before it was made anew. */
export function addressesOf(node: Candidate | undefined): readonly Ip[] {
  return [node?.ipv4, node?.ipv6].filter((ip) => ip !== undefined);
}
