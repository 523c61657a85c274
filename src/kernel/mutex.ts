/** Runs asynchronous functions one at a time, in the order of the calls. */
export class Mutex {
  #last: Promise<void> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    // The caller receives the result or the error, and nobody else keeps them; the next function only waits for the end.
    const ended = (): void => {};
    this.#last = mine.then(ended, ended);
    return mine;
  }
}
