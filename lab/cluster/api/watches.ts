import type { Exchange } from './exchange.ts';
import { Failure } from './failure.ts';
import type { JsonObject } from './json.ts';
import { apiVersion, type Kind } from './kinds.ts';
import { type Change, namespaceOf, type Objects } from './objects.ts';
import type { Selector } from './selector.ts';
import { table } from './table.ts';

interface Watch {
  readonly kind: Kind;
  readonly namespace: string;
  readonly selects: Selector;
  readonly exchange: Exchange;
  readonly bookmarks: boolean;
  muted: boolean;
}

/** The watches that are open now. */
export class Watches {
  readonly #objects: Objects;
  readonly #open = new Set<Watch>();
  readonly #bookmarkEvery: number;
  /** Told whenever a watch opens or closes. */
  readonly #changed: () => void;
  silent = false;
  /** Events that are held back, in their order; undefined: none is. */
  #held: (() => void)[] | undefined;

  /** @param bookmarkEvery ms */
  constructor(objects: Objects, bookmarkEvery: number, changed: () => void) {
    this.#objects = objects;
    this.#bookmarkEvery = bookmarkEvery;
    this.#changed = changed;
    objects.listen((change) => {
      for (const watch of this.#open) this.#send(watch, change);
    });
  }

  /** How many watches of a resource are open. */
  count(plural: string): number {
    return [...this.#open].filter((watch) => watch.kind.plural === plural).length;
  }

  open(kind: Kind, namespace: string, selects: Selector, exchange: Exchange): void {
    const { query } = exchange;
    const bookmarks = query.get('allowWatchBookmarks') === 'true';
    const watch: Watch = { kind, namespace, selects, exchange, bookmarks, muted: false };
    const from = query.get('resourceVersion') ?? '';
    exchange.open();
    try {
      this.#catchUp(watch, from);
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      // As an API server does it: the watch begins well and its first event is the error.
      exchange.event('ERROR', error.toStatus());
      exchange.end();
      return;
    }
    this.#open.add(watch);
    const bookmark = setInterval(() => this.#bookmark(watch), this.#bookmarkEvery);
    const seconds = Number(query.get('timeoutSeconds') ?? 1800);
    const timeout = setTimeout(() => {
      if (this.silent || watch.muted) return;
      // kube-apiserver sends the last one two seconds before the end.
      this.#bookmark(watch);
      exchange.end();
    }, seconds * 1000);
    exchange.onClose(() => {
      clearInterval(bookmark);
      clearTimeout(timeout);
      this.#open.delete(watch);
      this.#changed();
    });
    this.#changed();
  }

  /** Cuts all watches off in the middle of nowhere. */
  breakAll(): void {
    for (const { exchange } of this.#open) exchange.break();
  }

  /** Says nothing more to the watches that are open now. */
  muteAll(): void {
    for (const watch of this.#open) watch.muted = true;
  }

  /** Holds events back from now on, as a watch cache that lags does. */
  hold(): void {
    this.#held ??= [];
  }

  /** Sends the oldest event that is held back. @returns false when there is none; then no more are held back */
  release(): boolean {
    const next = this.#held?.shift();
    next?.();
    if (next === undefined) this.#held = undefined;
    return next !== undefined;
  }

  /** Ends all watches as a server does that is asked to stop. */
  endAll(): void {
    for (const { exchange } of this.#open) exchange.end();
  }

  bookmarkAll(): void {
    for (const watch of this.#open) this.#bookmark(watch);
  }

  /** Sends an event that never happened. */
  invent(plural: string, type: string, object: JsonObject): void {
    for (const { kind, exchange } of this.#open) if (kind.plural === plural) exchange.event(type, object);
  }

  /** Writes anything at all into the watches of a resource. */
  inject(plural: string, bytes: string | Buffer): void {
    for (const { kind, exchange } of this.#open) if (kind.plural === plural) exchange.write(bytes);
  }

  #catchUp(watch: Watch, from: string): void {
    if (from !== '' && from !== '0') {
      for (const change of this.#objects.since(Number(from))) this.#send(watch, change);
      return;
    }
    const { items, version } = this.#objects.list(watch.kind, watch.namespace);
    for (const object of items) {
      this.#send(watch, { type: 'ADDED', kind: watch.kind, object, before: undefined, version });
    }
  }

  #send(watch: Watch, change: Change): void {
    if (change.kind !== watch.kind || this.silent || watch.muted) return;
    if (watch.namespace !== '' && namespaceOf(change.object) !== watch.namespace) return;
    const type = typeFor(watch.selects, change);
    if (type === undefined) return;
    const object = watch.exchange.wantsTable ? table(watch.kind, [change.object], {}) : change.object;
    const write = (): void => watch.exchange.event(type, object);
    if (this.#held === undefined) write();
    else this.#held.push(write);
  }

  #bookmark({ kind, exchange, bookmarks, muted }: Watch): void {
    if (!bookmarks || this.silent || muted) return;
    const metadata = { resourceVersion: String(this.#objects.version), creationTimestamp: null };
    exchange.event('BOOKMARK', { kind: kind.kind, apiVersion: apiVersion(kind), metadata });
  }
}

/** An object that a change moves into the selection is new to the watcher; one that leaves it is gone. */
function typeFor(selects: Selector, { type, object, before }: Change): Change['type'] | undefined {
  const now = selects(object);
  if (type === 'ADDED' || before === undefined) return now ? 'ADDED' : undefined;
  const was = selects(before);
  if (type === 'DELETED') return was || now ? 'DELETED' : undefined;
  if (now) return was ? 'MODIFIED' : 'ADDED';
  return was ? 'DELETED' : undefined;
}
