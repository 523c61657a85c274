import type { AnnounceTable } from '../desire/announce-table.ts';
import type { SegmentPort } from '../kernel/segment-port.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import { changeObject } from '../model/object.ts';
import { Duplicates } from '../probe/duplicates.ts';
import type { Actual } from '../reconcile/actual.ts';
import type { Report } from '../reconcile/report.ts';

export interface Layer2Inputs {
  readonly port: SegmentPort;
  /** Starts a round. */
  readonly changed: () => void;
}

/** What a gateway that answers for EIPs says and hears beside the kernel, which gives the answers. */
export class Layer2 {
  readonly duplicates: Duplicates;
  #table: AnnounceTable | undefined;
  /** The families whose proxy neighbours give no answer. */
  #filtered: ReadonlySet<Family> = new Set();

  constructor({ port, changed }: Layer2Inputs) {
    this.duplicates = new Duplicates({ port, clock: () => performance.now(), changed });
  }

  /**
   * A round is over.
   *
   * @param table of the round; undefined: nothing is announced
   * @param active the addresses that make a gateway the active one
   */
  rounded(
    table: AnnounceTable | undefined,
    active: readonly Ip[],
    { done }: Pick<Report, 'done'>,
    actual: Actual | undefined,
  ): void {
    const isStandby = table?.states[4] === 'standby' || table?.states[6] === 'standby';
    this.duplicates.follow(table?.segment, active, isStandby ? 'standby' : 'active');
    const turned = table?.takeTurned() ?? new Set<Ip>();
    const isFiltered = (ip: Ip): boolean => this.#filtered.has(family(ip));
    const before = new Set(this.#filtered);
    this.#filtered = table?.filtered(actual) ?? new Set();
    if (table !== this.#table) {
      this.#table = table;
      this.duplicates.retain(table?.answered ?? new Set());
      this.duplicates.adopt(neighbours(actual).filter((ip) => !isFiltered(ip)));
    } else if (before.size !== this.#filtered.size || [...before].some((of) => !this.#filtered.has(of))) {
      const all = neighbours(actual);
      this.duplicates.falls(all.filter((ip) => !before.has(family(ip)) && isFiltered(ip)));
      this.duplicates.answers(all.filter((ip) => before.has(family(ip)) && !isFiltered(ip)));
    }
    const answered = table?.answered ?? new Set<Ip>();
    this.duplicates.forget([...turned].filter((eip) => !answered.has(eip)));
    this.duplicates.ask([...turned].filter((eip) => answered.has(eip)));
    const begun: Ip[] = [];
    const ended: Ip[] = [];
    for (const change of done) {
      const object = changeObject(change);
      if (object.kind === 'neighbour') (change.verb === 'delete' ? ended : begun).push(object.ip);
    }
    this.duplicates.falls(ended);
    // Those of a family that was filtered until now were told of above.
    this.duplicates.answers(begun.filter((ip) => !isFiltered(ip) && !before.has(family(ip))));
  }
}

/** What has a proxy neighbour in the kernel. */
function neighbours(actual: Actual | undefined): readonly Ip[] {
  const all = [...(actual?.objects.values() ?? [])];
  return all.flatMap((object) => (object.kind === 'neighbour' ? [object.ip] : []));
}
