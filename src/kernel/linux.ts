import { join } from 'node:path';
import { families } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import {
  type Change,
  changeObject,
  type KernelObject,
  type Key,
  keyOf,
  type Link,
  type NftFamily,
} from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { Answered, Hint, Kernel, KernelError, Scope } from './kernel.ts';
import { Ledger } from './ledger.ts';
import { Lister } from './lister.ts';
import { Mutex } from './mutex.ts';
import { findNeighbours } from './neighbours.ts';
import { Batcher, type Run } from './netlink/batch.ts';
import { Dumper } from './netlink/dump.ts';
import { nexthopDump, proxyNeighbourDump, routeDump, ruleDump } from './netlink/requests.ts';
import { decodeRoute } from './netlink/route.ts';
import { openTransport, type Transport } from './netlink/transport.ts';
import { withKernelErrors } from './netlink-failure.ts';
import { Nft } from './nft.ts';
import { addProxies } from './proxies.ts';
import { readSysctl, type SysctlChange, Sysctls } from './sysctl.ts';
import { Watch } from './watch.ts';

const commandBuffer = 4 << 20;
const monitorBuffer = 16 << 20;

/** The kernel of this network namespace, by rtnetlink, nft and /proc/sys. */
export class LinuxKernel implements Kernel {
  readonly #commands: Transport;
  readonly #batcher: Batcher;
  readonly #dumper: Dumper;
  readonly #lister: Lister;
  readonly #sysctls: Sysctls;
  readonly #nft = new Nft();
  readonly #reading = new Mutex();
  readonly #writing = new Mutex();
  readonly #closing = new AbortController();
  readonly #watches = new Set<Watch>();
  readonly #monitorBuffer: number;

  private constructor(ledger: Ledger, monitor: number) {
    this.#monitorBuffer = monitor;
    this.#commands = openTransport({ name: 'commands', receiveBuffer: commandBuffer, groups: [] });
    this.#batcher = new Batcher(this.#commands);
    this.#dumper = new Dumper(() =>
      openTransport({ name: 'dumps', receiveBuffer: commandBuffer, groups: [] }),
    );
    this.#sysctls = new Sysctls(ledger);
    this.#lister = new Lister(this.#dumper, this.#sysctls, this.#nft);
  }

  /**
   * @param stateDirectory directory of the sysctl ledger; created with the first write
   * @param monitor bytes of notifications that may wait for each caller of {@link hints}
   * @throws SocketError
   */
  static async open(stateDirectory: string, monitor = monitorBuffer): Promise<LinuxKernel> {
    return new LinuxKernel(await Ledger.load(join(stateDirectory, 'sysctls.json')), monitor);
  }

  /** The values of sysctls that the kernel showed after our own writes, by the path below /proc/sys. */
  get writtenSysctls(): ReadonlyMap<string, string> {
    return this.#sysctls.written;
  }

  /** Problems of the files that this port keeps. */
  get problems(): readonly Problem[] {
    return this.#sysctls.problems;
  }

  list(scope: Scope, signal: AbortSignal): Promise<Listing> {
    return this.#read(async () => {
      // A watch that begins during this listing may have missed events before it.
      const watches = this.#livingWatches();
      for (const watch of watches) watch.listing(scope);
      const listing = await this.#list(scope, signal);
      for (const watch of watches) watch.listed(scope, listing);
      return listing;
    });
  }

  links(signal: AbortSignal): Promise<readonly Link[]> {
    return this.#read(() => this.#lister.links(signal));
  }

  apply(
    changes: readonly Change[],
    signal: AbortSignal,
    answered?: Answered,
  ): Promise<readonly (KernelError | undefined)[]> {
    return this.#writing.run(async () => {
      const outcomes: (KernelError | undefined)[] = changes.map(() => undefined);
      let told = 0;
      const tellWatches = (count: number): void => {
        const [made, results] = [changes.slice(told, count), outcomes.slice(told, count)];
        told = count;
        for (const watch of this.#watches) watch.applied(made, results);
      };
      const soFar = (count: number): void => {
        tellWatches(count);
        answered?.(count, outcomes);
      };
      for (const watch of this.#watches) watch.applying(changes);
      await withKernelErrors(async () => {
        for (let from = 0; from < changes.length; ) {
          const way = wayOf(changes[from]);
          let to = from + 1;
          while (to < changes.length && wayOf(changes[to]) === way) to += 1;
          await this.#applyRun(way, { changes, from, to, outcomes, answered: soFar }, signal);
          from = to;
        }
      });
      tellWatches(changes.length);
      return outcomes;
    });
  }

  hints(signal: AbortSignal): AsyncIterable<Hint> {
    const stop = AbortSignal.any([signal, this.#closing.signal]);
    const watch = new Watch(this.#commands.portId, this.#monitorBuffer, this.#nft, stop);
    this.#watches.add(watch);
    return watch.hints();
  }

  holders(keys: ReadonlySet<Key>, signal: AbortSignal): Promise<ReadonlyMap<Key, KernelObject>> {
    return this.#read(() => this.#holders(keys, signal));
  }

  #read<T>(work: () => Promise<T>): Promise<T> {
    return this.#reading.run(() => withKernelErrors(work));
  }

  /** Waits for the calls in progress and ends the hints. The kernel's objects stay. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort(new Error('the kernel port is closed'));
    await Promise.all([...this.#watches].map((watch) => watch.ended()));
    await this.#reading.run(async () => this.#dumper.close());
    await this.#writing.run(async () => this.#commands.close());
  }

  #livingWatches(): readonly Watch[] {
    for (const watch of this.#watches) if (watch.over) this.#watches.delete(watch);
    return [...this.#watches];
  }

  async #list(scope: Scope, signal: AbortSignal): Promise<Listing> {
    const listed = await this.#lister.list(scope, signal);
    const { known, unresolved } = await findNeighbours(this.#dumper, scope.neighbours, listed.links, signal);
    if (unresolved.length > 0) await this.#writing.run(() => this.#batcher.resolve(unresolved, signal));
    return { ...listed, neighbours: known };
  }

  async #holders(keys: ReadonlySet<Key>, signal: AbortSignal): Promise<ReadonlyMap<Key, KernelObject>> {
    const holders = new Map<Key, KernelObject>();
    const collect = (objects: readonly (KernelObject | undefined)[]) => {
      for (const object of objects) {
        if (object && keys.has(keyOf(object))) holders.set(keyOf(object), object);
      }
    };
    const dumped = new Set<string>();
    for (const key of keys) {
      const [kind = '', first = '', second = ''] = key.split(' ');
      // Each table is dumped once, however many of the keys are in it.
      const dump = kind === 'route' ? `${first} ${second.includes(':')}` : kind === 'nft' ? key : kind;
      if (dumped.has(dump)) continue;
      dumped.add(dump);
      if (kind === 'route') {
        const filter = { family: second.includes(':') ? 6 : 4, table: Number(first), protocol: 0 } as const;
        // A full table has a million routes: the others are dropped while decoding.
        const decode: typeof decodeRoute = (message) => {
          const route = decodeRoute(message);
          return route && keys.has(keyOf(route)) ? route : undefined;
        };
        collect(await this.#dumper.dump({ ...routeDump(filter), decode }, signal));
      } else if (kind === 'nexthop') {
        collect((await this.#dumper.dump(nexthopDump, signal)).map(({ object }) => object));
      } else if (kind === 'rule') {
        for (const of of families) {
          collect((await this.#dumper.dump(ruleDump(of), signal)).map(({ rule }) => rule));
        }
      } else if (kind === 'nft') {
        collect(await this.#nft.list({ family: first as NftFamily, name: second }, signal));
      } else if (kind === 'neighbour') {
        for (const of of families) collect(await this.#dumper.dump(proxyNeighbourDump(of), signal));
      }
    }
    return holders;
  }

  async #applyRun(way: Way, run: Run, signal: AbortSignal): Promise<void> {
    switch (way) {
      case 'netlink':
        return this.#batcher.apply(run, signal);
      case 'new proxy':
        return addProxies(this.#batcher, run, signal);
      case 'nft':
        return this.#applyNft(run, signal);
      case 'nat':
        return this.#applyNat(run, signal);
      case 'set':
      case 'restore':
        return this.#applySysctls(way, run, signal);
      default:
        return way satisfies never;
    }
  }

  async #applyNft(run: Run, signal: AbortSignal): Promise<void> {
    for (let index = run.from; index < run.to; index += 1) {
      const change = run.changes[index];
      if (change) run.outcomes[index] = await this.#nft.apply(change, signal);
    }
  }

  async #applyNat({ changes, from, to, outcomes }: Run, signal: AbortSignal): Promise<void> {
    const made = await this.#nft.applyNat(changes.slice(from, to), signal);
    for (const [i, outcome] of made.entries()) outcomes[from + i] = outcome;
  }

  async #applySysctls(way: 'set' | 'restore', run: Run, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const sysctls: SysctlChange[] = [];
    for (let index = run.from; index < run.to; index += 1) {
      const change = run.changes[index];
      const sysctl = change && changeObject(change);
      if (sysctl?.kind === 'sysctl') sysctls.push({ index, sysctl });
    }
    for (const { sysctl } of sysctls) {
      for (const watch of this.#watches) watch.writing(sysctl.name);
    }
    await this.#sysctls[way](sysctls, run.outcomes);
    for (const { index, sysctl } of sysctls) {
      if (run.outcomes[index] !== undefined) continue;
      const value = await readSysctl(sysctl.name);
      for (const watch of this.#watches) watch.wrote(sysctl.name, value);
    }
  }
}

/** How a change is made; consecutive changes of one way share a batch. */
type Way = 'netlink' | 'new proxy' | 'nft' | 'nat' | 'set' | 'restore';

function wayOf(change: Change | undefined): Way {
  if (change === undefined) return 'netlink';
  const { kind } = changeObject(change);
  if (kind === 'nft') return 'nft';
  if (kind === 'nat-group' || kind === 'nat-eip') return 'nat';
  if (kind === 'sysctl') return change.verb === 'delete' ? 'restore' : 'set';
  return kind === 'neighbour' && change.verb === 'add' ? 'new proxy' : 'netlink';
}
