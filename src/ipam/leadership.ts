import type { Clock } from '../cluster/clock.ts';
import { type Lease, type Leases, RequestError } from '../cluster/writer.ts';
import type { LeaseName } from '../model/allocation.ts';

/** ms; the proportions are those of Kubernetes' own leaders */
export interface LeasePace {
  /** Others wait so long after the last renewal that they saw. */
  readonly duration: number;
  /** A holder that could not renew for so long stops writing. */
  readonly deadline: number;
  readonly retry: number;
}

const defaultLeasePace: LeasePace = { duration: 15_000, deadline: 10_000, retry: 2000 };

/** Why a Lease cannot be read or renewed, and what to do about it. */
export interface LeaseTrouble {
  readonly message: string;
  readonly advice: string;
  /** The API server has answered. */
  readonly answered: boolean;
}

export interface LeadershipOptions {
  readonly leases: Leases;
  readonly name: LeaseName;
  /** The same after a restart, and that of no other gateway. */
  readonly identity: string;
  readonly clock: Clock;
  /** Called when this gateway has begun to lead, or leads no more. */
  readonly changed: () => void;
  /** Called when {@link Leadership.trouble} is another one. */
  readonly troubled?: () => void;
  /** Whether this gateway may hold the Lease now; absent: always. */
  readonly admits?: () => boolean;
  readonly pace?: LeasePace;
}

/** Holds a Lease as long as it can: of several gateways its holder writes. Routes never depend on it. */
export class Leadership {
  readonly #options: LeadershipOptions;
  readonly #pace: LeasePace;
  /** Time of the last successful request, in ms */
  #renewed = Number.NEGATIVE_INFINITY;
  #led = false;
  /** What the Lease said when we last saw it change, and when that was. */
  #observed = '';
  #observedAt = 0;
  #holder: string | undefined;
  #transitions = 0;
  #trouble: LeaseTrouble | undefined;
  /** Tries that got no answer, in a row. */
  #unanswered = 0;

  constructor(options: LeadershipOptions) {
    this.#options = options;
    this.#pace = options.pace ?? defaultLeasePace;
  }

  /** Expires by our own clock, before another gateway may take over. */
  get leads(): boolean {
    return this.#options.clock.now() < this.#renewed + this.#pace.deadline;
  }

  /** While we lead: another number when another gateway may have led since. */
  get turn(): number | undefined {
    return this.leads ? this.#transitions : undefined;
  }

  /** Who holds it, as far as we know. */
  get holder(): string | undefined {
    return this.#holder;
  }

  /** How often it went from one gateway to another, as far as we know. */
  get transitions(): number {
    return this.#transitions;
  }

  /** Why it cannot be read or renewed; undefined: all is well. */
  get trouble(): LeaseTrouble | undefined {
    return this.#trouble;
  }

  /** Runs until the signal, then gives the Lease back, so that no other gateway has to wait. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const { retry } = this.#pace;
    try {
      while (!signal.aborted) {
        if (this.#options.admits?.() ?? true) await this.#try(signal);
        else await this.#release();
        this.#notify();
        // With a jitter, or two gateways that start together would ask together for ever.
        await clock.sleep(retry * (1 - 0.2 * clock.random()), signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await this.#release();
    }
  }

  async #try(signal: AbortSignal): Promise<void> {
    const { leases, name, identity, clock } = this.#options;
    const asked = clock.now();
    let found: Awaited<ReturnType<Leases['read']>>;
    try {
      found = await leases.read(name, signal);
    } catch (error) {
      if (signal.aborted || !(error instanceof RequestError)) throw error;
      const { message, advice, answered } = error;
      this.#unanswered = answered ? 0 : this.#unanswered + 1;
      // A broken connection is made again; what the server answers, it will answer again.
      if (answered || this.#unanswered > 1) this.#tellTrouble({ message, advice, answered });
      return;
    }
    this.#unanswered = 0;
    const { lease, version } = found;
    this.#observe(lease, asked);
    if (lease.holder !== undefined && lease.holder !== identity && !this.#expired(lease)) {
      this.#tellTrouble(undefined);
      return;
    }
    const mine = lease.holder === identity;
    const now = micro(clock.time());
    const next: Lease = {
      holder: identity,
      duration: Math.ceil(this.#pace.duration / 1000),
      acquired: mine ? lease.acquired : now,
      renewed: now,
      transitions: mine ? lease.transitions : lease.transitions + 1,
    };
    const outcome = await leases.write(name, next, version, signal);
    if (outcome.kind === 'done') {
      // The Lease may have run out a moment ago, and a reader of `leads` may have seen that: leading again is news.
      if (!this.leads) this.#led = false;
      this.#renewed = asked;
      this.#holder = identity;
      this.#transitions = next.transitions;
      this.#tellTrouble(undefined);
    } else if (outcome.kind === 'refused')
      this.#tellTrouble({ ...outcome, advice: 'it is tried again by itself' });
    else if (mine) this.#renewed = Number.NEGATIVE_INFINITY;
  }

  /** By our own clock alone: theirs may be off. */
  #observe(lease: Lease, now: number): void {
    this.#holder = lease.holder;
    this.#transitions = lease.transitions;
    const state = `${lease.holder} ${lease.renewed} ${lease.transitions}`;
    if (state === this.#observed) return;
    this.#observed = state;
    this.#observedAt = now;
    if (lease.holder !== this.#options.identity) this.#renewed = Number.NEGATIVE_INFINITY;
  }

  #expired({ duration }: Lease): boolean {
    return this.#options.clock.now() >= this.#observedAt + duration * 1000;
  }

  #tellTrouble(trouble: LeaseTrouble | undefined): void {
    const before = this.#trouble;
    if (before?.message === trouble?.message && before?.advice === trouble?.advice) return;
    this.#trouble = trouble;
    this.#options.troubled?.();
  }

  #notify(): void {
    if (this.#led === this.leads) return;
    this.#led = this.leads;
    this.#options.changed();
  }

  async #release(): Promise<void> {
    if (!this.leads) return;
    const { leases, name, identity } = this.#options;
    const soon = AbortSignal.timeout(1000);
    this.#renewed = Number.NEGATIVE_INFINITY;
    try {
      const { lease, version } = await leases.read(name, soon);
      if (lease.holder !== identity) return;
      await leases.write(name, { ...lease, holder: undefined, renewed: undefined }, version, soon);
    } catch {
      // The Lease expires after its duration.
    }
  }
}

/** As Kubernetes writes the times of a Lease. */
function micro(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
