/**
 * Counts the time in which this program ran. A wait that it measures does not pass while the program is stopped, or while
 * the machine sleeps: who was not asked has not been silent.
 */
export class AwakeClock {
  readonly #clock: () => number;
  readonly #most: number;
  #last: number;
  #awake = 0;

  /**
   * @param clock ms; must never run backwards
   * @param most ms between two looks that are believed; what is beyond was not lived
   */
  constructor(clock: () => number, most: number) {
    this.#clock = clock;
    this.#most = most;
    this.#last = clock();
  }

  /** Looks at the clock. @returns ms since the start that this program ran */
  now(): number {
    const now = this.#clock();
    this.#awake += Math.min(now - this.#last, this.#most);
    this.#last = now;
    return this.#awake;
  }
}
