import type { Hint } from '../../src/kernel/kernel.ts';
import type { Change, KernelObject } from '../../src/model/object.ts';

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

/** undefined: Linux tells nobody, as of neighbour proxies that come, change hands, or go. */
export function hintOf(verb: Change['verb'], object: KernelObject): Hint | undefined {
  const done = verb === 'delete' ? 'deleted' : verb === 'add' ? 'added' : 'replaced';
  switch (object.kind) {
    case 'nexthop':
    case 'group':
      return { kind: 'nexthop', text: `nexthop ${done}: ${object.id}` };
    case 'route':
      return { kind: 'route', text: `route ${done}: ${object.dst}` };
    case 'rule':
      return { kind: 'rule', text: `rule ${done}: priority ${object.priority}` };
    case 'nft':
      return { kind: 'nft', text: `nft table ${done}: ${object.name}` };
    case 'nat-group':
      return { kind: 'nft', text: `nft elements ${done}: group ${object.id}` };
    case 'nat-eip':
      return { kind: 'nft', text: `nft elements ${done}: ${object.eip}` };
    case 'neighbour':
    case 'sysctl':
      return undefined;
    default:
      return object satisfies never;
  }
}
