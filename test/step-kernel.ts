import { type Answered, type Hint, type Kernel, KernelError, type Scope } from '../src/kernel/kernel.ts';
import type { Listing } from '../src/model/listing.ts';
import type { Change, KernelObject, Key, Link } from '../src/model/object.ts';

/** What a test does to a kernel between two changes. */
export interface Steps {
  /** @returns the errno with which the change is refused; undefined: it goes on to the kernel */
  before?(change: Change): string | undefined;
  after?(change: Change, error: KernelError | undefined): void;
}

/** A kernel that makes one change at a time, so that a test can look at the world after each of them. */
export class StepKernel implements Kernel {
  readonly #inner: Kernel;
  readonly #steps: Steps;

  constructor(inner: Kernel, steps: Steps) {
    this.#inner = inner;
    this.#steps = steps;
  }

  list(scope: Scope, signal: AbortSignal): Promise<Listing> {
    return this.#inner.list(scope, signal);
  }

  links(signal: AbortSignal): Promise<readonly Link[]> {
    return this.#inner.links(signal);
  }

  async apply(
    changes: readonly Change[],
    signal: AbortSignal,
    answered?: Answered,
  ): Promise<readonly (KernelError | undefined)[]> {
    const outcomes: (KernelError | undefined)[] = [];
    for (const change of changes) {
      const code = this.#steps.before?.(change);
      const [outcome] =
        code === undefined ? await this.#inner.apply([change], signal) : [new KernelError(code, '')];
      this.#steps.after?.(change, outcome);
      outcomes.push(outcome);
      answered?.(outcomes.length, outcomes);
    }
    return outcomes;
  }

  hints(signal: AbortSignal): AsyncIterable<Hint> {
    return this.#inner.hints(signal);
  }

  holders(keys: ReadonlySet<Key>, signal: AbortSignal): Promise<ReadonlyMap<Key, KernelObject>> {
    return this.#inner.holders(keys, signal);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#inner[Symbol.asyncDispose]();
  }
}
