import { readFileSync } from 'node:fs';
import { type Family, families } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';

/** ms between two looks: a storm has hundreds of rounds a second */
const pace = 10_000;
/** ms for which a refusal is told */
const told = 300_000;

const files: Readonly<Record<Family, string>> = {
  4: '/proc/net/stat/arp_cache',
  6: '/proc/net/stat/ndisc_cache',
};

const none: readonly Problem[] = [];

interface Count {
  /** New neighbours that the kernel refused, since it started. */
  readonly refused: number;
  /** When it refused the last one; undefined: not since this program looks. */
  readonly at: number | undefined;
}

/**
 * Whether the kernel's neighbour table overflows. Linux refuses a new neighbour then (ENOBUFS, "neighbour table overflow" in
 * its log), whoever has filled the table: a node that is not in it gets no packets. The probe sees no entry, which is no
 * answer and no silence. The kernel counts what it refuses.
 */
export class NeighbourOverflow {
  readonly #read: (of: Family) => number | undefined;
  readonly #counts = new Map<Family, Count>();
  #lookedAt: number | undefined;
  #problems = none;

  constructor(read: (of: Family) => number | undefined = refusedSinceBoot) {
    this.#read = read;
  }

  /** The same array as long as nothing in it changes. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /**
   * @param now ms; must never run backwards
   * @returns whether the problems are others now
   */
  look(now: number): boolean {
    if (this.#lookedAt !== undefined && now - this.#lookedAt < pace) return false;
    this.#lookedAt = now;
    const problems = families.flatMap((of) => this.#problemOf(of, now));
    const before = this.#problems.map(({ subject }) => subject).join();
    if (problems.map(({ subject }) => subject).join() === before) return false;
    this.#problems = problems;
    return true;
  }

  #problemOf(of: Family, now: number): readonly Problem[] {
    const refused = this.#read(of);
    if (refused === undefined) return none;
    const before = this.#counts.get(of);
    const at = before !== undefined && refused > before.refused ? now : before?.at;
    this.#counts.set(of, { refused, at });
    if (at === undefined || now - at >= told) return none;
    const folder = `net.ipv${of}.neigh.default`;
    return [
      {
        code: 'neighbour-table-full',
        severity: 'warn',
        subject: `neighbour table (IPv${of}) is full`,
        message: `the kernel's neighbour table of IPv${of} is full, and it refuses new neighbours ("neighbour table overflow"): a node that is not in it gets no packets, and whether it answers is not known`,
        advice: `raise ${folder}.gc_thresh2 and ${folder}.gc_thresh3 (sysctl -w, and in /etc/sysctl.d); who fills it: ip -${of} neigh show`,
      },
    ];
  }
}

/**
 * Neighbours that the kernel refused since it started.
 *
 * @returns undefined: a network namespace other than the first one does not show it
 */
function refusedSinceBoot(of: Family): number | undefined {
  try {
    return tableFulls(readFileSync(files[of], 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'EACCES'))
      return undefined;
    throw error;
  }
}

/**
 * The column `table_fulls` of a file of /proc/net/stat: a line of names, and one of hexadecimal numbers for each processor.
 *
 * @returns undefined: the kernel has no such column
 */
export function tableFulls(text: string): number | undefined {
  const [names = '', ...processors] = text.trim().split('\n');
  const column = names.trim().split(/\s+/).indexOf('table_fulls');
  if (column < 0) return undefined;
  const counts = processors.map((line) => Number.parseInt(line.trim().split(/\s+/)[column] ?? '0', 16));
  return counts.reduce((sum, count) => sum + count, 0);
}
