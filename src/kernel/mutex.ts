/** Runs asynchronous functions one at a time, in the order of the calls. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  run<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work);
    // The caller receives the error; the next function only waits for the end.
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
