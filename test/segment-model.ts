import type { Ip } from '../src/model/ip.ts';
import type { Uniqueness } from '../src/model/uniqueness.ts';

/** Which EIPs other hosts of the segment have, event by event. */
export class SegmentModel implements Uniqueness {
  readonly #claimed = new Set<Ip>();
  #turned = new Set<Ip>();

  /** @param to whether another host claims the EIP from now on */
  claim(eip: Ip, to: boolean): void {
    if (to) this.#claimed.add(eip);
    else this.#claimed.delete(eip);
    this.#turned.add(eip);
  }

  isClaimed(eip: Ip): boolean {
    return this.#claimed.has(eip);
  }

  isUnique(eip: Ip): boolean {
    return !this.#claimed.has(eip);
  }

  takeTurned(): ReadonlySet<Ip> {
    const turned = this.#turned;
    this.#turned = new Set();
    return turned;
  }
}
