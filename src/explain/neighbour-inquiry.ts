import { setTimeout as sleep } from 'node:timers/promises';
import { LinuxNeighbours } from '../kernel/linux-neighbours.ts';
import type { Ip } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';

/** ms; without eiproute's settings the kernel asks three times, once a second */
const patience = 4000;
const between = 25;

/** One that somebody has fixed, or that was heard a moment ago: a question would only change the entry. */
const settled: ReadonlySet<NeighbourState | undefined> = new Set<NeighbourState>(['PERMANENT', 'REACHABLE']);
/** The answer to a question, or to the last of them. */
const answered: ReadonlySet<NeighbourState | undefined> = new Set<NeighbourState>(['STALE', 'FAILED']);

/** Makes the kernel ask hosts by ARP or NDP, and waits until it knows of each whether it answers. */
export async function askNeighbours(
  link: number,
  ips: readonly Ip[],
  signal: AbortSignal,
): Promise<ReadonlyMap<Ip, NeighbourState>> {
  if (ips.length === 0) return new Map();
  await using neighbours = new LinuxNeighbours();
  const end = performance.now() + patience;
  const asked = new Set<Ip>();
  while (true) {
    const states = await neighbours.states(link, ips, signal);
    const found = new Map(ips.map((ip, i) => [ip, states[i]]));
    const open = ips.filter(
      (ip) => !(settled.has(found.get(ip)) || (asked.has(ip) && answered.has(found.get(ip)))),
    );
    if (open.length === 0 || performance.now() > end) return known(found);
    // A kernel whose table is full drops entries, and says so to nobody: they are asked for again.
    const due = open.filter((ip) => !asked.has(ip) || found.get(ip) === undefined);
    for (const ip of due) asked.add(ip);
    if (due.length > 0) await neighbours.solicit(link, due);
    await sleep(between, undefined, { signal });
  }
}

function known(states: ReadonlyMap<Ip, NeighbourState | undefined>): ReadonlyMap<Ip, NeighbourState> {
  const result = new Map<Ip, NeighbourState>();
  for (const [ip, state] of states) if (state !== undefined) result.set(ip, state);
  return result;
}
