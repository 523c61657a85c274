import { mkdirSync, readFileSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Delta, Node, Overview, Service, Snapshot } from '../model/cluster.ts';
import type { Problem } from '../model/problem.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Cluster } from './cluster.ts';
import { type GrowingDelta, mergeDelta } from './delta.ts';
import { DocumentError, readObjects } from './document.ts';
import { express } from './express.ts';
import { Signal } from './signal.ts';
import { resources, Store } from './store.ts';

const version = '1';

/** An answer, and what it was made of. */
interface Derived<T extends Overview> {
  readonly live: T;
  readonly problem: Problem | undefined;
  readonly value: T;
}

type Picture = Pick<Snapshot, 'nodes' | 'services'>;

export interface RememberedOptions {
  /** ms between a change and its being saved */
  readonly every: number;
  readonly clock: Clock;
  /**
   * False while what the source says is doubted (a guard holds what it would lead to): a list that is suddenly
   * empty must not outlive a reboot in the place of what was known.
   */
  readonly believed: () => boolean;
}

const standard: RememberedOptions = { every: 5000, clock: systemClock, believed: () => true };

/**
 * A cluster that does not start from nothing: what it last knew is in a file, and counts until the real source is
 * complete. So EIPs keep routing after a reboot with the API down. The file is a List such as kubectl prints, and
 * can be used as a source itself.
 *
 * @param cluster the real source; disposed of together with this one
 * @param file is replaced atomically, and only when something has changed
 */
export function remembered(
  cluster: Cluster,
  file: string,
  options: Partial<RememberedOptions> = {},
): Cluster {
  const stop = new AbortController();
  const memory = new Memory(cluster, file, { ...standard, ...options });
  const running = memory.run(stop.signal);
  return {
    snapshot: () => memory.snapshot(),
    service: (key) => memory.service(key),
    services: () => memory.services(),
    overview: () => memory.overview(),
    changes: (signal) => memory.changes(AbortSignal.any([signal, stop.signal])),
    async [Symbol.asyncDispose]() {
      stop.abort();
      await running;
      await cluster[Symbol.asyncDispose]();
    },
  };
}

class Memory {
  /** One for each listener, and what passes the changes of the real source on to it. */
  readonly #listeners = new Map<Signal<Delta, GrowingDelta>, Promise<void>>();
  readonly #cluster: Cluster;
  readonly #file: string;
  readonly #options: RememberedOptions;
  /** What the file says; undefined: nothing, or the real source has become complete. */
  #former: Store | undefined;
  #saved: Picture | undefined;
  #problem: Problem | undefined;
  #overview: Derived<Overview> | undefined;
  #snapshot: Derived<Snapshot> | undefined;

  constructor(cluster: Cluster, file: string, options: RememberedOptions) {
    this.#cluster = cluster;
    this.#file = file;
    this.#options = options;
    this.#load();
  }

  snapshot(): Snapshot {
    const former = this.#current();
    const live = this.#cluster.snapshot();
    const problem = this.#problem;
    if (this.#snapshot?.live === live && this.#snapshot.problem === problem) return this.#snapshot.value;
    const value =
      former === undefined && problem === undefined
        ? live
        : { ...this.overview(), services: former?.snapshot().services ?? live.services };
    this.#snapshot = { live, problem, value };
    return value;
  }

  service(key: string): Service | undefined {
    return (this.#current() ?? this.#cluster).service(key);
  }

  services(): Iterable<Service> {
    return (this.#current() ?? this.#cluster).services();
  }

  overview(): Overview {
    const former = this.#current();
    const live = this.#cluster.overview();
    const problem = this.#problem;
    if (this.#overview?.live === live && this.#overview.problem === problem) return this.#overview.value;
    const value = {
      complete: live.complete,
      nodes: former?.overview().nodes ?? live.nodes,
      feeds: live.feeds,
      problems: problem === undefined ? live.problems : [...live.problems, problem],
    };
    this.#overview = { live, problem, value };
    return value;
  }

  /**
   * What is read in the place of the real source. The moment at which it is given up is the moment at which the
   * listeners learn that all has changed, whether a read or a change of the source finds it first.
   */
  #current(): Store | undefined {
    if (this.#former !== undefined && this.#cluster.overview().complete) {
      this.#former = undefined;
      this.#notify({ services: 'all', nodes: true });
    }
    return this.#former;
  }

  changes(signal: AbortSignal): AsyncIterable<Delta> {
    const listener = new Signal(mergeDelta);
    const passing = this.#pass(this.#cluster.changes(signal), listener);
    this.#listeners.set(listener, passing);
    return listener.listen(signal);
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#keep(signal);
    await Promise.all(this.#listeners.values());
  }

  async #pass(changes: AsyncIterable<Delta>, listener: Signal<Delta, GrowingDelta>): Promise<void> {
    for await (const delta of changes) {
      const hidden = this.#current() !== undefined;
      listener.notify(hidden ? { services: new Set(), nodes: false } : delta);
    }
    this.#listeners.delete(listener);
  }

  #notify(delta: Delta): void {
    for (const listener of this.#listeners.keys()) listener.notify(delta);
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const { every, clock } = this.#options;
    const wait = (): Promise<void> =>
      clock.sleep(every, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    const changes = this.#cluster.changes(signal)[Symbol.asyncIterator]();
    // The source may be complete already, without one more change to come.
    do {
      // First the wait: by then it shows whether what has come in is believed.
      do await wait();
      while (!signal.aborted && !this.#options.believed());
      await this.#save();
    } while (!(await changes.next()).done);
  }

  async #save(): Promise<void> {
    const { complete, nodes, services } = this.#cluster.snapshot();
    if (!complete || !this.#options.believed()) return;
    if (nodes === this.#saved?.nodes && services === this.#saved.services) return;
    this.#saved = { nodes, services };
    try {
      await write(this.#file, this.#saved);
      this.#tell(undefined);
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.#tell({
        code: 'cluster-not-remembered',
        severity: 'warn',
        subject: this.#file,
        message: `what is known of the cluster can not be saved: ${error.message}; a reboot with the API down would lose it`,
        advice: `check space and permissions of ${dirname(this.#file)}`,
      });
    }
  }

  #load(): void {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch (error) {
      if (!isFileError(error)) throw error;
      if (!('code' in error && error.code === 'ENOENT')) this.#unreadable(error.message);
      return;
    }
    try {
      this.#former = picture(text);
      const { nodes, services } = this.#former.snapshot();
      this.#saved = { nodes, services };
    } catch (error) {
      if (!(error instanceof DocumentError)) throw error;
      this.#unreadable(error.message);
    }
  }

  #unreadable(why: string): void {
    this.#problem = {
      code: 'remembered-cluster-unreadable',
      severity: 'warn',
      subject: this.#file,
      message: `the last known state of the cluster can not be used: ${why}; nothing is known before the API answers`,
      advice: 'nothing to do when the API is reachable: it is written anew as soon as all lists are in',
    };
  }

  #tell(problem: Problem | undefined): void {
    if (problem === undefined && this.#problem === undefined) return;
    this.#problem = problem;
    this.#notify({ services: new Set(), nodes: false });
  }
}

/** @throws DocumentError when it is not what {@link write} wrote */
function picture(text: string): Store {
  const objects = readObjects(text);
  const [, found] = /"eiproute\.io\/version":"([^"]*)"/.exec(text.slice(0, 200)) ?? [];
  if (found !== version) throw new DocumentError(`its version is ${found ?? 'missing'}, not ${version}`);
  const store = new Store();
  for (const resource of resources) {
    for (const object of objects[resource]) store.shelves[resource].set(object);
  }
  const [problem] = store.overview().problems;
  if (problem !== undefined) throw new DocumentError(`${problem.subject}: ${problem.message}`);
  return store;
}

async function write(file: string, { nodes, services }: Picture): Promise<void> {
  mkdirSync(dirname(file), { recursive: true });
  const draft = `${file}.new`;
  try {
    const handle = await open(draft, 'w', 0o600);
    try {
      const head = `{"apiVersion":"v1","kind":"List","metadata":{"annotations":{"eiproute.io/version":"${version}"}},"items":[`;
      await handle.write(head);
      let comma = '\n';
      for (const part of parts(nodes, services)) {
        await handle.write(
          part
            .map((object) => JSON.stringify(object))
            .join(',\n')
            .replace(/^/, comma),
        );
        comma = ',\n';
        await turn();
      }
      await handle.write('\n]}\n');
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}

/** In portions that take about a millisecond each. */
function* parts(nodes: readonly Node[], services: readonly Service[]): Generator<readonly object[]> {
  let part: object[] = [];
  for (const object of express({ nodes, services })) {
    part.push(object);
    if (part.length === 200) {
      yield part;
      part = [];
    }
  }
  if (part.length > 0) yield part;
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
