/**
 * Wakes any number of listeners. What is notified while a listener is busy is merged into one value for that
 * listener; nothing is lost, and a slow listener delays no other.
 */
export class Signal<In = void, Out = In> {
  readonly #merge: (held: Out | undefined, next: In) => Out;
  readonly #listeners = new Set<Listener<In, Out>>();

  /** @param merge `held` is undefined for the first value since the listener's last turn; it may be changed in place */
  constructor(merge: (held: Out | undefined, next: In) => Out) {
    this.#merge = merge;
  }

  notify(value: In): void {
    for (const listener of this.#listeners) listener.notify(value);
  }

  /** Listens from the call on, not from the first `next()`. Ends without an error when the signal is aborted. */
  listen(signal: AbortSignal): AsyncIterable<Out> {
    const listener = new Listener(this.#merge);
    if (signal.aborted) return listener.values(signal);
    this.#listeners.add(listener);
    signal.addEventListener(
      'abort',
      () => {
        this.#listeners.delete(listener);
        listener.wake();
      },
      { once: true },
    );
    return listener.values(signal);
  }
}

class Listener<In, Out> {
  readonly #merge: (held: Out | undefined, next: In) => Out;
  #pending: { readonly value: Out } | undefined;
  #wake: (() => void) | undefined;

  constructor(merge: (held: Out | undefined, next: In) => Out) {
    this.#merge = merge;
  }

  notify(next: In): void {
    this.#pending = { value: this.#merge(this.#pending?.value, next) };
    this.wake();
  }

  wake(): void {
    this.#wake?.();
  }

  async *values(signal: AbortSignal): AsyncGenerator<Out> {
    while (!signal.aborted) {
      if (this.#pending === undefined) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (signal.aborted) return;
      const pending = this.#pending;
      this.#pending = undefined;
      if (pending !== undefined) yield pending.value;
    }
  }
}
