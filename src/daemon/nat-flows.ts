import { setTimeout as sleep } from 'node:timers/promises';
import { Signal } from '../cluster/signal.ts';
import { isNat, usesNat } from '../desire/nat-mode.ts';
import { poolFinder } from '../desire/pools.ts';
import { Conntrack, conntrackCount } from '../kernel/conntrack.ts';
import { KernelError } from '../kernel/kernel.ts';
import type { ConntrackCount } from '../model/conntrack.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Change } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { sameItems } from '../model/same-items.ts';
import { GoneNodes, type GoneNodesInputs } from './gone-nodes.ts';
import { type LeftNodes, leftNodes } from './left-nodes.ts';

export interface NatFlowsInputs extends GoneNodesInputs {
  readonly gateway: () => Gateway;
  /** A node keeps its flows although no new ones go there. */
  readonly isDraining: (ip: Ip) => boolean;
  /** Called when the problems have changed. */
  readonly changed: () => void;
}

const none: readonly Problem[] = [];

const UDP = 17;

/** What has to end. */
interface Ending {
  /** All that NAT has sent to these nodes, which are gone. */
  readonly gone: ReadonlySet<Ip>;
  /** Of each EIP the UDP that NAT has sent to these nodes. */
  readonly left: LeftNodes;
}

function merge(before: Ending | undefined, { gone, left }: Ending): Ending {
  if (before === undefined) return { gone, left };
  const all = new Map(before.left);
  for (const [eip, nodes] of left) all.set(eip, nodes.union(all.get(eip) ?? new Set()));
  return { gone: before.gone.union(gone), left: all };
}

/** When the table of connections is nearly full: a part of its limit. */
const nearlyFull = 0.8;

/** ms between two looks */
const lookEvery = 10_000;

/**
 * What NAT leaves in the kernel's table of connections: ends those of nodes that are gone, and the UDP to nodes that an EIP
 * has left, and sees how full it is.
 */
export class NatFlows {
  readonly #inputs: NatFlowsInputs;
  readonly #nodes: GoneNodes;
  readonly #ending = new Signal<Ending, Ending>(merge);
  #count: ConntrackCount | undefined;
  #deletion = none;
  #fullness = none;
  #problems = none;

  constructor(inputs: NatFlowsInputs) {
    this.#inputs = inputs;
    this.#nodes = new GoneNodes(inputs);
  }

  /** As of the last look; undefined: no pool has mode nat, or the kernel tracks no connections. */
  get count(): ConntrackCount | undefined {
    return this.#count;
  }

  /** The same array as long as none of them changed. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  rounded(done: readonly Change[]): void {
    const { desired, isDraining } = this.#inputs;
    const gone = new Set(this.#nodes.rounded(done));
    const left = leftNodes(done, desired(), isDraining);
    if (gone.size > 0 || left.size > 0) this.#ending.notify({ gone, left });
  }

  /** Looks now and then how full the table is, until the signal is aborted. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#look();
      await sleep(lookEvery, undefined, { signal });
    }
  }

  async #look(): Promise<void> {
    this.#count = usesNat(this.#inputs.gateway()) ? await conntrackCount() : undefined;
    const { entries = 0, limit = 1 } = this.#count ?? {};
    // It moves all the time: a problem that is told stays the same until it is over.
    if (entries < nearlyFull * limit) this.#fullness = none;
    else if (this.#fullness === none) this.#fullness = [full(limit)];
    this.#collect();
  }

  /** Deletes connections until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    using conntrack = new Conntrack();
    for await (const { gone, left } of this.#ending.listen(signal)) {
      const gateway = this.#inputs.gateway();
      const poolOf = poolFinder(gateway.pools);
      try {
        await conntrack.deleteFlows(
          ({ destination, node, protocol }) =>
            (gone.has(node) && isNat(gateway, poolOf(destination))) ||
            (protocol === UDP && left.get(destination)?.has(node) === true),
          signal,
        );
        this.#deletion = none;
      } catch (error) {
        if (!(error instanceof KernelError)) throw error;
        this.#deletion = [undeleted([...gone, ...[...left.values()].flatMap((nodes) => [...nodes])], error)];
      }
      this.#collect();
    }
  }

  #collect(): void {
    const all = [...this.#deletion, ...this.#fullness];
    if (sameItems(all, this.#problems)) return;
    this.#problems = all;
    this.#inputs.changed();
  }
}

function full(limit: number): Problem {
  return {
    code: 'conntrack-full',
    severity: 'error',
    subject: 'nf_conntrack',
    message: `the table of connections, which NAT needs, is more than ${nearlyFull * 100} % full: its limit is ${limit}, and beyond it new connections are dropped`,
    advice: `sysctl -w net.netfilter.nf_conntrack_max=${2 * limit}, if the memory allows it (about 320 bytes each)`,
  };
}

function undeleted(ips: readonly Ip[], { message }: KernelError): Problem {
  const nodes = [...new Set(ips)];
  return {
    code: 'conntrack-entries',
    severity: 'warn',
    subject: nodes.join(', '),
    message: `the connections that NAT sent to ${nodes.join(', ')} and that go nowhere now cannot be ended: ${message}; they hang until they time out`,
    advice: 'modprobe nf_conntrack_netlink, or conntrack --delete --reply-src ADDRESS',
  };
}
