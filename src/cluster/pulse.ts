/** Tells any number of listeners that something changed; what piles up while one is busy is one beat for it. */
export class Pulse {
  readonly #listeners = new Set<Listener>();

  beat(): void {
    for (const listener of this.#listeners) listener.beat();
  }

  /** Listens from the call on, not from the first `next()`. Ends quietly when the signal is aborted. */
  beats(signal: AbortSignal): AsyncIterable<void> {
    const listener = new Listener();
    if (signal.aborted) return listener.beats(signal);
    this.#listeners.add(listener);
    signal.addEventListener(
      'abort',
      () => {
        this.#listeners.delete(listener);
        listener.beat();
      },
      { once: true },
    );
    return listener.beats(signal);
  }
}

class Listener {
  #pending = false;
  #wake: (() => void) | undefined;

  beat(): void {
    this.#pending = true;
    this.#wake?.();
  }

  async *beats(signal: AbortSignal): AsyncGenerator<void> {
    while (!signal.aborted) {
      if (!this.#pending) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (signal.aborted) return;
      this.#pending = false;
      yield;
    }
  }
}
