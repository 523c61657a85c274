import { setTimeout as sleep } from 'node:timers/promises';
import { LinuxNeighbours } from '../kernel/linux-neighbours.ts';
import type { Ip } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';

/** ms; without eiproute's settings the kernel asks three times, once a second */
const patience = 4000;
const between = 25;

const undecided: ReadonlySet<NeighbourState | undefined> = new Set<NeighbourState | undefined>([
  undefined,
  'INCOMPLETE',
  'DELAY',
  'PROBE',
]);

const settled: ReadonlySet<NeighbourState | undefined> = new Set<NeighbourState>(['PERMANENT', 'REACHABLE']);

/** Makes the kernel ask hosts by ARP or NDP, and waits until it knows of each whether it answers. */
export async function askNeighbours(
  link: number,
  ips: readonly Ip[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Ip, NeighbourState>> {
  if (ips.length === 0) return new Map();
  await using neighbours = new LinuxNeighbours();
  // A question changes the entry: one that somebody has fixed, or that was heard a moment ago, is left alone.
  const before = await neighbours.states(link, ips, signal);
  const asked = ips.filter((_, i) => !settled.has(before[i]));
  if (asked.length > 0) await neighbours.solicit(link, asked);
  const end = performance.now() + patience;
  while (true) {
    const states = await neighbours.states(link, ips, signal);
    if (performance.now() > end || states.every((state) => !undecided.has(state)))
      return new Map(ips.flatMap((ip, i) => (states[i] === undefined ? [] : [[ip, states[i]] as const])));
    await sleep(between, undefined, { signal });
  }
}
