import type { AnnounceTable } from '../desire/announce-table.ts';
import type { SegmentPort } from '../kernel/segment-port.ts';
import type { Ip } from '../model/ip.ts';
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
    if (table !== this.#table) {
      this.#table = table;
      this.duplicates.retain(table?.answered ?? new Set());
      this.duplicates.adopt(neighbours(actual));
    }
    const answered = table?.answered ?? new Set<Ip>();
    this.duplicates.forget([...turned].filter((eip) => !answered.has(eip)));
    this.duplicates.ask([...turned].filter((eip) => answered.has(eip)));
    const begun: Ip[] = [];
    const ended: Ip[] = [];
    for (const { change } of done) {
      const object = changeObject(change);
      if (object.kind === 'neighbour') (change.verb === 'delete' ? ended : begun).push(object.ip);
    }
    this.duplicates.falls(ended);
    this.duplicates.answers(begun);
  }
}

/** What the kernel answers for already. */
function neighbours(actual: Actual | undefined): readonly Ip[] {
  const all = [...(actual?.objects.values() ?? [])];
  return all.flatMap((object) => (object.kind === 'neighbour' ? [object.ip] : []));
}
