import type { AnnounceTable } from '../desire/announce-table.ts';
import { servesFamily } from '../desire/pools.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Family } from '../model/ip.ts';
import { familyOf, isAnnouncement, type KernelObject } from '../model/object.ts';
import type { GatewayState } from '../model/publication.ts';
import type { Actual } from '../reconcile/actual.ts';
import type { AnnounceStatus, FamilyAnnounceStatus } from '../status/status.ts';
import { DaemonError } from './daemon-error.ts';
import type { Draining } from './draining.ts';
import type { Journal } from './journal.ts';

export interface AnnouncingInputs {
  readonly gateway: () => Gateway;
  readonly draining: Draining;
  /** The table of the last round; undefined: nothing is announced. */
  readonly table: () => AnnounceTable | undefined;
  /** What others say of the EIPs on their segment; see {@link AnnounceStatus}. */
  readonly claims: () => { readonly claimed: number; readonly claims: number };
  readonly actual: () => Actual | undefined;
  /** Starts a round. */
  readonly changed: () => void;
}

const unclaimed = { claimed: undefined, claims: undefined };

/** What `eiproute drain` and `undrain` do, and what `status` says of what is announced. */
export class Announcing {
  readonly #inputs: AnnouncingInputs;
  /** The states that were last reported; none before the first round. */
  #said = JSON.stringify([undefined, undefined]);
  /** Orders that wait for a round that has seen them. */
  #waiting: (() => boolean)[] = [];

  constructor(inputs: AnnouncingInputs) {
    this.#inputs = inputs;
  }

  /** @throws DaemonError when nothing is announced here, or the file cannot be written */
  async drain(): Promise<string> {
    this.#refuseWithoutTable('drain');
    await this.#inputs.draining.begin(Date.now());
    return await this.#afterRound(() => this.#isDrained());
  }

  /** @throws DaemonError as {@link drain} */
  async undrain(): Promise<string> {
    this.#refuseWithoutTable('undrain');
    await this.#inputs.draining.end();
    return await this.#afterRound(() => !this.#isDrained());
  }

  /** A round is over. */
  rounded(): void {
    this.#waiting = this.#waiting.filter((settle) => !settle());
  }

  /** Reports in the journal that a family is announced, or why not, when that has changed. */
  tell(journal: Pick<Journal, 'announcing'>): void {
    const status = this.status();
    const said = JSON.stringify([status?.ipv4?.state, status?.ipv6?.state]);
    if (said === this.#said) return;
    this.#said = said;
    if (status !== undefined) journal.announcing(status);
  }

  status(): AnnounceStatus | undefined {
    const { gateway, table, draining } = this.#inputs;
    const announcing = table();
    const { announce } = gateway();
    if (announcing === undefined || announce === undefined) return undefined;
    const of = (version: Family): FamilyAnnounceStatus | undefined =>
      servesFamily(gateway(), version)
        ? { state: announcing.states[version], eips: announcing.count(version) }
        : undefined;
    const { table: number, segment } = announce;
    const { claimed, claims } = segment === undefined ? unclaimed : this.#inputs.claims();
    return {
      table: number,
      segment,
      claimed,
      claims,
      ipv4: of(4),
      ipv6: of(6),
      drainingSince: draining.since,
    };
  }

  /** By the announcements; a gateway that announces nothing has no other state than active. */
  get state(): GatewayState {
    const status = this.status();
    if (status === undefined) return 'active';
    if (status.drainingSince !== undefined) return 'draining';
    const families = [status.ipv4, status.ipv6].filter((one) => one !== undefined);
    return families.length > 0 && families.every(({ state }) => state === 'standby') ? 'standby' : 'active';
  }

  #isDrained(): boolean {
    return this.#inputs.table()?.states[4] === 'draining';
  }

  #refuseWithoutTable(verb: 'drain' | 'undrain'): void {
    if (this.#inputs.gateway().announce !== undefined) return;
    throw new DaemonError(
      `nothing to ${verb}: this gateway announces nothing (announce: false, and no pool has announce: layer2); take its traffic away at the router`,
    );
  }

  /** @param isSeen the last round knew of the order */
  #afterRound(isSeen: () => boolean): Promise<string> {
    const { promise, resolve } = Promise.withResolvers<string>();
    this.#waiting.push(() => {
      if (!isSeen()) return false;
      resolve(this.#answer());
      return true;
    });
    this.#inputs.changed();
    return promise;
  }

  #answer(): string {
    const objects = this.#inputs.actual()?.objects.values() ?? [];
    const states = this.#inputs.table()?.states;
    const { 4: ipv4, 6: ipv6 } = states ?? {};
    const isSaid = (object: KernelObject): boolean =>
      isAnnouncement(object) && (object.kind === 'route' || states?.[familyOf(object) ?? 4] === 'announced');
    const entries = [...objects].filter(isSaid).length;
    return JSON.stringify({ version: 1, states: { ipv4, ipv6 }, entries });
  }
}
