import { setTimeout as sleep } from 'node:timers/promises';
import { type JsonObject, textAt } from './api/json.ts';
import type { ApiClient } from './api-client.ts';
import type { ObjectChange } from './cluster.ts';

/** ms between two attempts to reach an API that does not answer */
const pause = 50;

/** The objects of one kind, kept as the API has them over a list and a watch; it outlives restarts of the API. */
export class Informer implements AsyncDisposable {
  readonly #client: ApiClient;
  readonly #kind: string;
  readonly #changed: (change: ObjectChange) => void;
  readonly #objects = new Map<string, JsonObject>();
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  readonly #listed = Promise.withResolvers<void>();

  /** @param changed is called after each change of an object */
  constructor(client: ApiClient, kind: string, changed: (change: ObjectChange) => void) {
    this.#client = client;
    this.#kind = kind;
    this.#changed = changed;
    this.#running = this.#run(this.#stop.signal);
  }

  get objects(): readonly JsonObject[] {
    return [...this.#objects.values()];
  }

  /** Resolves when the first list has been read. */
  get listed(): Promise<void> {
    return this.#listed.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        const { items, version } = await this.#client.snapshot(this.#kind, signal);
        this.#replace(items);
        this.#listed.resolve();
        for await (const { type, object } of this.#client.watch(this.#kind, version, signal)) {
          if (type === 'ERROR') break; // 410: the next list tells all
          if (type === 'DELETED') this.#delete(object);
          else if (type !== 'BOOKMARK') this.#set(object);
        }
      } catch {
        // The API is away, or a test has stopped it: whoever waits for a change has a limit of its own.
        await sleep(pause, undefined, { signal }).catch(() => undefined);
      }
    }
  }

  #replace(items: readonly JsonObject[]): void {
    const uids = new Set(items.map(uidOf));
    for (const [uid, object] of this.#objects) if (!uids.has(uid)) this.#delete(object);
    for (const item of items) {
      const known = this.#objects.get(uidOf(item));
      if (known === undefined || versionOf(known) !== versionOf(item)) this.#set(item);
    }
  }

  #set(object: JsonObject): void {
    this.#objects.set(uidOf(object), object);
    this.#changed({ object });
  }

  #delete(object: JsonObject): void {
    this.#objects.delete(uidOf(object));
    this.#changed({ object });
  }
}

function uidOf(object: JsonObject): string {
  return textAt(object, 'metadata', 'uid');
}

function versionOf(object: JsonObject): string {
  return textAt(object, 'metadata', 'resourceVersion');
}
