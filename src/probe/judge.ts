import { type Family, family, type Ip } from '../model/ip.ts';

/** What the kernel says of one node's address. */
export interface Signal {
  readonly ip: Ip;
  /** ms of the awake clock; undefined: the node answers, or was not asked yet */
  readonly silentSince: number | undefined;
}

/** Why so much silence is not believed. */
export interface Doubt {
  readonly of: Family;
  readonly kind: 'all' | 'too many at once';
  readonly silent: readonly Ip[];
  /** Addresses of this family that are asked. */
  readonly asked: number;
}

export interface Verdict {
  /** Addresses that are believed to be dead. */
  readonly silent: ReadonlySet<Ip>;
  readonly doubts: readonly Doubt[];
}

export interface Terms {
  /** When more than this part of the addresses goes silent within a second, it is doubted. */
  readonly share: number;
  /** ms of the awake clock */
  readonly now: number;
  /** ms within which addresses go silent together; a second */
  readonly together?: number;
}

/** ms after which silence is believed although many went together, as long as others answer all the time */
export const doubtFor = 10_000;

const families: readonly Family[] = [4, 6];

/**
 * Which nodes are believed to be dead.
 *
 * - When nobody of a family answers, the probe is wrong, and nobody is dead.
 * - When more than a share went silent within a second, the probe may be wrong (a switch that drops ARP, a host that is
 *   overloaded): these are believed to be dead only after ten seconds of silence, in which others answered.
 */
export function judge(signals: readonly Signal[], { share, now, together = 1000 }: Terms): Verdict {
  const silent = new Set<Ip>();
  const doubts: Doubt[] = [];
  for (const of of families) {
    const asked = signals.filter(({ ip }) => family(ip) === of);
    const mute = asked
      .flatMap(({ ip, silentSince }) => (silentSince === undefined ? [] : [{ ip, since: silentSince }]))
      .sort((a, b) => a.since - b.since);
    if (mute.length === 0) continue;
    if (mute.length === asked.length) {
      doubts.push({ of, kind: 'all', silent: mute.map(({ ip }) => ip), asked: asked.length });
      continue;
    }
    const doubted = tooManyAtOnce(mute, asked.length * share, { now, together });
    for (const { ip } of mute) if (!doubted.has(ip)) silent.add(ip);
    if (doubted.size > 0)
      doubts.push({ of, kind: 'too many at once', silent: [...doubted], asked: asked.length });
  }
  return { silent, doubts };
}

/** @param mute in the order of time */
function tooManyAtOnce(
  mute: readonly { readonly ip: Ip; readonly since: number }[],
  most: number,
  { now, together }: Required<Omit<Terms, 'share'>>,
): ReadonlySet<Ip> {
  const doubted = new Set<Ip>();
  for (let first = 0, last = 0; first < mute.length; first += 1) {
    const start = mute[first]?.since ?? 0;
    while (last < mute.length && (mute[last]?.since ?? 0) - start <= together) last += 1;
    const burst = mute.slice(first, last);
    if (burst.length > most && now - (burst.at(-1)?.since ?? 0) < doubtFor)
      for (const { ip } of burst) doubted.add(ip);
  }
  return doubted;
}
