import { type Family, families, family, type Ip } from '../model/ip.ts';

/** What the kernel says of one node's address. */
export interface Signal {
  readonly ip: Ip;
  /** ms of the awake clock; undefined: the node answers, or was not asked yet */
  readonly silentSince: number | undefined;
  /** It was silent, and answers again, for too short a time yet to count as one that answers. */
  readonly isBack?: boolean;
}

/** Why so much silence is not believed. */
export interface Doubt {
  readonly of: Family;
  readonly kind: 'all' | 'too many at once';
  readonly silent: readonly Ip[];
  /** Addresses of this family that are asked. */
  readonly asked: number;
}

/** Silent addresses that are not believed to be dead, and from when on their silence counts, in ms of the awake clock. */
export type Doubted = ReadonlyMap<Ip, number>;

export interface Verdict {
  /** Addresses that are believed to be dead. */
  readonly silent: ReadonlySet<Ip>;
  readonly doubts: readonly Doubt[];
  /** What the next verdict has to know. */
  readonly doubted: Doubted;
}

export interface Terms {
  /** When more than this part of the addresses goes silent within a second, it is doubted. */
  readonly share: number;
  /** ms of the awake clock */
  readonly now: number;
  /** ms within which addresses go silent together; a second */
  readonly together?: number;
}

/** ms of silence, in which others answered, after which an address that was doubted is believed to be dead */
export const doubtFor = 10_000;

export const nobodyDoubted: Doubted = new Map();

interface Mute {
  readonly ip: Ip;
  readonly since: number;
  readonly isBack: boolean;
}

/**
 * Which nodes are believed to be dead.
 *
 * - When nobody of a family answers, the probe is wrong. Who had been silent for ten seconds while others answered is
 *   dead all the same; nobody else is.
 * - When more than a share went silent within a second, the probe may be wrong (a switch that drops ARP, a host that is
 *   overloaded).
 * - Who is doubted is so until it answers, or has been silent for ten seconds in which others answered. Nodes come back
 *   one after the other: the first answer says nothing of the others. The time in which it answers again, and is not trusted
 *   yet, is no silence.
 *
 * @param before of the verdict before
 */
export function judge(
  signals: readonly Signal[],
  { share, now, together = 1000 }: Terms,
  before: Doubted,
): Verdict {
  const silent = new Set<Ip>();
  const doubts: Doubt[] = [];
  const doubted = new Map<Ip, number>();
  for (const of of families) {
    const asked = signals.filter(({ ip }) => family(ip) === of);
    const mute = asked
      .flatMap(({ ip, silentSince, isBack = false }) =>
        silentSince === undefined ? [] : [{ ip, since: silentSince, isBack }],
      )
      .sort((a, b) => a.since - b.since);
    if (mute.length === 0) continue;
    const isAll = mute.length === asked.length;
    const doubtful = isAll
      ? silentLately(mute, now, before)
      : tooManyAtOnce(mute, asked.length * share, together);
    const some: Ip[] = [];
    for (const { ip, since, isBack } of mute) {
      const silentFrom = Math.max(doubtful.get(ip) ?? since, before.get(ip) ?? since);
      const from = isBack && before.has(ip) ? now : silentFrom;
      const isDoubted = (doubtful.has(ip) || before.has(ip)) && now - from < doubtFor;
      if (!isDoubted) silent.add(ip);
      else {
        some.push(ip);
        doubted.set(ip, from);
      }
    }
    if (some.length > 0)
      doubts.push({ of, kind: isAll ? 'all' : 'too many at once', silent: some, asked: asked.length });
  }
  return { silent, doubts, doubted };
}

/**
 * Those whose silence was still in doubt when the last one fell silent. Their silence counts from now on.
 *
 * @param mute all of a family, in the order of time
 */
function silentLately(mute: readonly Mute[], now: number, before: Doubted): Doubted {
  const last = mute.at(-1)?.since ?? now;
  return new Map(
    mute.flatMap(({ ip, since }) => (last - (before.get(ip) ?? since) < doubtFor ? [[ip, now]] : [])),
  );
}

/**
 * Those that fell silent together with too many others, and when the last of them did.
 *
 * @param mute in the order of time
 */
function tooManyAtOnce(mute: readonly Mute[], most: number, together: number): Doubted {
  const doubtful = new Map<Ip, number>();
  for (let first = 0, last = 0; first < mute.length; first += 1) {
    const start = mute[first]?.since ?? 0;
    while (last < mute.length && (mute[last]?.since ?? 0) - start <= together) last += 1;
    const burst = mute.slice(first, last);
    const end = burst.at(-1)?.since ?? start;
    if (burst.length > most) for (const { ip } of burst) doubtful.set(ip, end);
  }
  return doubtful;
}
