import type { DumpRequest } from './dump.ts';
import type { MessageReader } from './message.ts';

/** How far ahead a message is looked for: what vanished since the last time stands between. */
const reach = 16;

/**
 * A dump that is asked for again and again. Of a hundred thousand routes nearly all are what they were: a message
 * that comes with the same bytes as the last time is the same object as the last time, and is not decoded.
 *
 * The kernel keeps its order, so the two dumps go side by side. Where they come too far apart the rest is decoded,
 * which costs time and nothing else.
 */
export class RepeatedDump<T> {
  readonly request: DumpRequest<T>;
  #last = new Messages<T>();
  /** undefined: all messages until now were those of the last dump, one by one. */
  #next: Messages<T> | undefined;
  /** Where we are in the last dump. */
  #at = 0;

  constructor(request: DumpRequest<T>) {
    this.request = request;
  }

  /** A new dump begins; what an unfinished one brought is forgotten. */
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
   * The dump is whole.
   *
   * @returns in the kernel's order, undefined for what is not of interest; the very same array as the last time
   *   when nothing at all has changed
   */
  end(): readonly (T | undefined)[] {
    if (this.#next === undefined && this.#at < this.#last.objects.length)
      this.#next = this.#last.first(this.#at);
    if (this.#next !== undefined) this.#last = this.#next;
    this.start();
    return this.#last.objects;
  }
}

/** The messages of a dump, behind their headers, and what they came to. */
class Messages<T> {
  readonly objects: (T | undefined)[];
  #words: Uint32Array;
  /** Where in the words each message ends. */
  readonly #ends: number[];

  constructor(objects: (T | undefined)[] = [], words = new Uint32Array(256), ends: number[] = []) {
    this.objects = objects;
    this.#words = words;
    this.#ends = ends;
  }

  /** A copy of the first `count`. */
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

  /** @returns the place of a message with the same bytes, among so many from `from` on; -1: none */
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

/** Made of whole words, as all that the kernel sends; anything else is decoded every time. */
function isWhole({ start, end }: MessageReader): boolean {
  return end > start && (end - start) % 4 === 0;
}
