import type { Path } from '../desire/path.ts';
import type { Ip } from '../model/ip.ts';

/** Where EIPs went, from one round that did something to the next. */
export interface Step {
  before(eip: Ip): Path | undefined;
  now(eip: Ip): Path | undefined;
  /** EIPs that were routed before and are now, over other nodes. */
  readonly moved: readonly Path[];
}

/**
 * Remembers the paths of the last round. Nearly all are the very same from one round to the next, in the same
 * order: only what lies between the first and the last that differ is looked at, which at ten thousand EIPs is the
 * difference between microseconds and milliseconds.
 */
export class PathHistory {
  #last: readonly Path[] = [];

  next(paths: readonly Path[]): Step {
    const last = this.#last;
    this.#last = paths;
    const shorter = Math.min(last.length, paths.length);
    let head = 0;
    while (head < shorter && last[head] === paths[head]) head += 1;
    let tail = 0;
    while (tail < shorter - head && last.at(-1 - tail) === paths.at(-1 - tail)) tail += 1;

    const before = byEip(last.slice(head, last.length - tail));
    const now = byEip(paths.slice(head, paths.length - tail));
    const names = new Names();
    const moved = [...now.values()].filter((path) => {
      const from = before.get(path.eip);
      return from !== undefined && from.carriers !== path.carriers && names.of(from) !== names.of(path);
    });
    // What is in neither part is the same in both; it is asked for seldom.
    const same = (eip: Ip): Path | undefined => paths.find((path) => path.eip === eip);
    return {
      before: (eip) => before.get(eip) ?? (now.has(eip) ? undefined : same(eip)),
      now: (eip) => now.get(eip) ?? (before.has(eip) ? undefined : same(eip)),
      moved,
    };
  }
}

function byEip(paths: readonly Path[]): ReadonlyMap<Ip, Path> {
  return new Map(paths.map((path) => [path.eip, path]));
}

/** The names of the nodes, spelled out once per list: under Cluster all EIPs share one. */
class Names {
  readonly #known = new Map<Path['carriers'], string>();

  of({ carriers }: Path): string {
    let names = this.#known.get(carriers);
    if (names === undefined) {
      names = carriers.map(({ node }) => node).join(' ');
      this.#known.set(carriers, names);
    }
    return names;
  }
}
