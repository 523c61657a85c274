import type { Ip } from '../model/ip.ts';
import type { CarrierSet } from './carrier-sets.ts';
import type { Carrier } from './carriers.ts';
import type { NamedEip } from './named-eip.ts';
import { type FormerPath, PathHistory } from './path-history.ts';
import type { PathTable } from './path-table.ts';

/** Where EIPs and sets went when the journal last looked, of those that changed since. */
export class FormerPaths {
  /** No EIP went anywhere then. */
  #beganEmpty = true;
  #paths = new Map<Ip, FormerPath | undefined>();
  #carriers = new Map<CarrierSet, readonly Carrier[]>();

  /** Before the EIP goes elsewhere. */
  note({ eip, set, services }: NamedEip): void {
    if (this.#beganEmpty || this.#paths.has(eip)) return;
    const carriers = set && (this.#carriers.get(set) ?? set.carriers);
    this.#paths.set(
      eip,
      carriers === undefined || carriers.length === 0 ? undefined : { carriers, services },
    );
  }

  /** Before the set gets other carriers. */
  noteSet(set: CarrierSet): void {
    if (!this.#carriers.has(set)) this.#carriers.set(set, set.carriers);
  }

  /**
   * The changes since the last call.
   *
   * @param isEmpty no EIP goes anywhere now
   */
  take(table: PathTable, isEmpty: boolean): PathHistory {
    const history = new PathHistory(table, this.#beganEmpty ? 'none' : this.#paths, this.#carriers);
    this.#beganEmpty = isEmpty;
    this.#paths = new Map();
    this.#carriers = new Map();
    return history;
  }
}
