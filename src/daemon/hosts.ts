import { setTimeout as sleep } from 'node:timers/promises';
import { type Kernel, KernelError } from '../kernel/kernel.ts';
import type { Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import { type Hosts, nextHosts, silentIps } from '../status/nodes.ts';

/** ms between two looks when nobody asks */
const pace = 5000;
/** ms for which a look is young enough for who asks */
const young = 1000;

export interface LanHostsOptions {
  readonly kernel: Pick<Kernel, 'neighbours'>;
  /** The interface as of the last dump; undefined: there is none. */
  readonly lan: () => Link | undefined;
  /** ms since the epoch */
  readonly clock: () => number;
  /** Called when other hosts are silent than before. */
  readonly changed: () => void;
}

/** The hosts of the LAN, as the neighbour table shows them. Nothing is sent: the kernel asks when it has a packet. */
export class LanHosts {
  readonly #kernel: Pick<Kernel, 'neighbours'>;
  readonly #lan: () => Link | undefined;
  readonly #clock: () => number;
  readonly #changed: () => void;
  #hosts: Hosts = new Map();
  #silent: ReadonlySet<Ip> = new Set();
  #at = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;

  constructor({ kernel, lan, clock, changed }: LanHostsOptions) {
    this.#kernel = kernel;
    this.#lan = lan;
    this.#clock = clock;
    this.#changed = changed;
  }

  get hosts(): Hosts {
    return this.#hosts;
  }

  /** Those that do not answer; the same set as long as they are the same. */
  get silent(): ReadonlySet<Ip> {
    return this.#silent;
  }

  /** Brings the hosts up to date, unless they were a moment ago. */
  async look(signal: AbortSignal): Promise<void> {
    if (this.#clock() - this.#at < young) return;
    this.#looking ??= this.#read(signal).finally(() => {
      this.#looking = undefined;
    });
    await this.#looking;
  }

  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.look(signal);
      await sleep(pace, undefined, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  async #read(signal: AbortSignal): Promise<void> {
    const lan = this.#lan();
    try {
      const entries = lan === undefined ? [] : await this.#kernel.neighbours(lan.index, signal);
      this.#hosts = nextHosts(this.#hosts, entries, this.#clock());
    } catch (error) {
      if (signal.aborted) return;
      // A kernel that cannot be read is told by the next round; until then nothing is known of the hosts.
      if (!(error instanceof KernelError)) throw error;
      this.#hosts = new Map();
    }
    this.#at = this.#clock();
    const silent = silentIps(this.#hosts);
    if (silent.symmetricDifference(this.#silent).size === 0) return;
    this.#silent = silent;
    this.#changed();
  }
}
