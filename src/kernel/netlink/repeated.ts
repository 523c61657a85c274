import type { DumpRequest } from './dump.ts';
import type { MessageReader } from './message.ts';

/** How many messages ahead an unchanged one is looked for: those before it have been deleted. */
const reach = 16;

/**
 * A dump that is repeated. Nearly all of a hundred thousand routes are unchanged: a message with the same bytes as
 * in the last dump is not decoded, and its object is that of the last dump.
 *
 * The kernel dumps in a stable order, so both dumps are walked side by side. Where they differ by more than the
 * lookahead, the rest is decoded; this costs time only.
 */
export class RepeatedDump<T> {
  readonly request: DumpRequest<T>;
  #last = new Messages<T>();
  /** undefined: all messages until now are equal to those of the last dump. */
  #next: Messages<T> | undefined;
  /** Position in the last dump. */
  #at = 0;

  constructor(request: DumpRequest<T>) {
    this.request = request;
  }

  /** Begins a new dump; an unfinished one is discarded. */
  start(): void {
    this.#next = undefined;
    this.#at = 0;
  }

  /** @throws MalformedError */
  take(message: MessageReader): void {
    const last = this.#last;
    const known = last.find(message, this.#at, reach);
    if (known !== this.#at) this.#next ??= last.first(this.#at);
    this.#next?.push(message, known < 0 ? this.request.decode(message) : last.objects[known]);
    if (known >= 0) this.#at = known + 1;
  }

  /**
   * Ends the dump.
   *
   * @returns the objects in the kernel's order, undefined for one that is left out; the same array as the last time
   *   when no message has changed
   */
  end(): readonly (T | undefined)[] {
    if (this.#next === undefined && this.#at < this.#last.objects.length)
      this.#next = this.#last.first(this.#at);
    if (this.#next !== undefined) this.#last = this.#next;
    this.start();
    return this.#last.objects;
  }
}

/** The payloads of a dump and the objects decoded from them. */
class Messages<T> {
  readonly objects: (T | undefined)[];
  #words: Uint32Array;
  /** The end of each message in the words. */
  readonly #ends: number[];

  constructor(objects: (T | undefined)[] = [], words = new Uint32Array(256), ends: number[] = []) {
    this.objects = objects;
    this.#words = words;
    this.#ends = ends;
  }

  /** A copy with the first `count` messages. */
  first(count: number): Messages<T> {
    return new Messages(this.objects.slice(0, count), this.#words.slice(), this.#ends.slice(0, count));
  }

  push(message: MessageReader, object: T | undefined): void {
    const from = this.#ends.at(-1) ?? 0;
    const to = from + (isWhole(message) ? (message.end - message.start) / 4 : 0);
    if (to > this.#words.length) {
      const words = new Uint32Array(2 * to);
      words.set(this.#words);
      this.#words = words;
    }
    for (let i = from, at = message.start; i < to; i += 1, at += 4) this.#words[i] = message.u32At(at);
    this.#ends.push(to);
    this.objects.push(object);
  }

  /** @returns the index of a message with the same bytes within the lookahead after `from`; -1: none */
  find(message: MessageReader, from: number, among: number): number {
    if (!isWhole(message)) return -1;
    const end = Math.min(from + among, this.objects.length);
    for (let place = from; place < end; place += 1) if (this.#is(place, message)) return place;
    return -1;
  }

  #is(place: number, message: MessageReader): boolean {
    const from = place === 0 ? 0 : (this.#ends[place - 1] ?? 0);
    const to = this.#ends[place] ?? 0;
    if (message.end - message.start !== (to - from) * 4) return false;
    for (let i = from, at = message.start; i < to; i += 1, at += 4) {
      if (this.#words[i] !== message.u32At(at)) return false;
    }
    return true;
  }
}

/** Whether the payload consists of whole words, as the kernel's do; another one is decoded every time. */
function isWhole({ start, end }: MessageReader): boolean {
  return end > start && (end - start) % 4 === 0;
}
