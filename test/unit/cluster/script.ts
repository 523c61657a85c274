import type { Clock } from '../../../src/cluster/clock.ts';
import type { Listed, Page, Transport } from '../../../src/cluster/transport.ts';

/** What happens inside a watch, in order; it ends after the last one. */
export type Happening =
  | { readonly events: readonly unknown[] }
  /** ms in which nothing is heard */
  | { readonly pass: number }
  | { readonly fail: Error }
  | { readonly check: () => void };

/** The answer to one call. */
export type Step =
  | { readonly list: Page | Error; readonly takes?: number; readonly asked?: () => void }
  | { readonly watch: readonly Happening[] | Error; readonly takes?: number };

/** An API server that follows a script; when the script is over, it calls the end. */
export class ScriptedTransport implements Transport {
  /** `list limit=2000 from=…`, `watch from=7 for=360` */
  readonly calls: string[] = [];
  readonly #steps: Step[];
  readonly #clock: Clock;
  readonly #end: () => void;

  constructor(steps: readonly Step[], clock: Clock, end: () => void) {
    this.#steps = [...steps];
    this.#clock = clock;
    this.#end = end;
  }

  async list(_of: Listed, limit: number, from: string | undefined, signal: AbortSignal): Promise<Page> {
    this.calls.push(from === undefined ? `list limit=${limit}` : `list limit=${limit} from=${from}`);
    const step = this.#next(signal);
    if (!('list' in step)) throw new TypeError('the script has a watch here');
    step.asked?.();
    if (step.takes !== undefined) await this.#clock.sleep(step.takes, signal);
    if (step.list instanceof Error) throw step.list;
    return step.list;
  }

  async watch(
    _of: Listed,
    resourceVersion: string,
    timeoutSeconds: number,
    signal: AbortSignal,
  ): Promise<AsyncIterable<readonly unknown[]>> {
    this.calls.push(`watch from=${resourceVersion} for=${timeoutSeconds}`);
    const step = this.#next(signal);
    if (!('watch' in step)) throw new TypeError('the script has a list here');
    if (step.takes !== undefined) await this.#clock.sleep(step.takes, signal);
    if (step.watch instanceof Error) throw step.watch;
    return this.#happen(step.watch, signal);
  }

  async probe(): Promise<number> {
    throw new TypeError('a script has no probes');
  }

  disconnect(): void {
    throw new TypeError('a script has no connections');
  }

  async *#happen(happenings: readonly Happening[], signal: AbortSignal): AsyncGenerator<readonly unknown[]> {
    for (const happening of happenings) {
      if ('events' in happening) yield happening.events;
      else if ('pass' in happening) await this.#clock.sleep(happening.pass, signal);
      else if ('check' in happening) happening.check();
      else throw happening.fail;
    }
  }

  #next(signal: AbortSignal): Step {
    const step = this.#steps.shift();
    if (step !== undefined) return step;
    this.#end();
    throw signal.reason;
  }
}
