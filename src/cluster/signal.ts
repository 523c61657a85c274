/**
 * Delivers values to any number of listeners. Values that arrive while a listener is busy are merged for that listener,
 * so nothing is lost and a slow listener delays no other.
 */
export class Signal<In = void, Out = In> {
  readonly #merge: (held: Out | undefined, next: In) => Out;
  readonly #listeners = new Set<Listener<In, Out>>();

  /** @param merge `held` is undefined for the first value after a yield; it may be changed in place */
  constructor(merge: (held: Out | undefined, next: In) => Out) {
    this.#merge = merge;
  }

  notify(value: In): void {
    for (const listener of this.#listeners) listener.notify(value);
  }

  /** Yields what is notified after this call. Ends without an error when the signal is aborted. */
  listen(signal: AbortSignal): AsyncIterable<Out> {
    const listener = new Listener(this.#merge);
    if (signal.aborted) return listener.values(signal, () => {});
    const end = (): void => {
      this.#listeners.delete(listener);
      signal.removeEventListener('abort', end);
      listener.wake();
    };
    this.#listeners.add(listener);
    signal.addEventListener('abort', end);
    return listener.values(signal, end);
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

  /** @param end called when the consumer breaks off */
  async *values(signal: AbortSignal, end: () => void): AsyncGenerator<Out> {
    try {
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
    } finally {
      end();
    }
  }
}
