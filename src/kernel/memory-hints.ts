import type { Hint } from './kernel.ts';

/** What one caller of `hints` has not yet read. */
export class HintQueue implements AsyncIterable<Hint> {
  readonly #hints: Hint[] = [];
  #wake: (() => void) | undefined;
  #closed = false;

  push(hint: Hint): void {
    this.#hints.push(hint);
    this.#wake?.();
  }

  /** As after ENOBUFS: what was not read yet is lost, and only that is known. */
  overrun(): void {
    this.#hints.length = 0;
    this.push({ kind: 'overrun', text: 'notifications were lost' });
  }

  close(): void {
    this.#closed = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Hint> {
    for (;;) {
      const hint = this.#closed ? undefined : this.#hints.shift();
      if (hint !== undefined) yield hint;
      else if (this.#closed) return;
      else {
        const { promise, resolve } = Promise.withResolvers<void>();
        this.#wake = resolve;
        await promise;
      }
    }
  }
}
