import type { Clock } from '../cluster/clock.ts';
import type { NodeAnnotation } from '../cluster/node-annotation.ts';
import { Signal } from '../cluster/signal.ts';
import { RequestError } from '../cluster/writer.ts';
import type { Problem } from '../model/problem.ts';
import { type ToldAgent, toldText } from '../model/publication.ts';
import { backoff } from '../reconcile/backoff.ts';

/** ms */
const pace = {
  /** Between two looks at the annotation: the Node may have been made anew. */
  look: 600_000,
  /** Between two tries. */
  first: 1000,
  longest: 300_000,
};

export interface TellingInputs {
  readonly annotation: NodeAnnotation;
  /** The name of the Node. */
  readonly node: string;
  readonly clock: Clock;
  /** Called when {@link Telling.problems} are others. */
  readonly changed: () => void;
}

/** Tells by an annotation of the Node what its agent serves. It writes what differs, and nothing else. */
export class Telling {
  readonly #inputs: TellingInputs;
  readonly #wake = new Signal(() => {});
  /** What is served; undefined: that is not known yet. */
  #text: string | undefined;
  #trouble: RequestError | undefined;

  constructor(inputs: TellingInputs) {
    this.#inputs = inputs;
  }

  /** The kernel has all that this needs. */
  serves(agent: ToldAgent): void {
    const text = toldText(agent);
    if (text === this.#text) return;
    this.#text = text;
    this.#wake.notify();
  }

  problems(): readonly Problem[] {
    const trouble = this.#trouble;
    // `Following` reports an API that cannot be reached: an agent that tells also follows the gateways.
    if (!trouble?.answered) return [];
    return [
      {
        code: 'agent-not-told',
        severity: 'warn',
        subject: `Node ${this.#inputs.node}`,
        message: `what this node serves cannot be told: ${trouble.message}; no gateway sees when a pool is missing here`,
        advice: `${trouble.advice}; or say that it is not told: follow: { tell: false }`,
      },
    ];
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#inputs;
    let failures = 0;
    try {
      while (!signal.aborted) {
        const woken = new AbortController();
        const awake = this.#woken(AbortSignal.any([signal, woken.signal]));
        failures = (await this.#tell(signal)) ? 0 : failures + 1;
        const rest =
          failures === 0
            ? pace.look * (0.75 + clock.random() / 2)
            : backoff(failures, pace.first, pace.longest, clock.random());
        const over = new AbortController();
        const resting = clock.sleep(rest, AbortSignal.any([signal, over.signal])).catch((error: unknown) => {
          if (!signal.aborted && !over.signal.aborted) throw error;
        });
        await Promise.race([awake, resting]);
        over.abort();
        woken.abort();
        await Promise.all([awake, resting]);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Resolves when something else is served. */
  async #woken(signal: AbortSignal): Promise<void> {
    for await (const _ of this.#wake.listen(signal)) return;
  }

  /** @returns false when it failed */
  async #tell(signal: AbortSignal): Promise<boolean> {
    const { annotation, changed } = this.#inputs;
    const text = this.#text;
    if (text === undefined) return true;
    let trouble: RequestError | undefined;
    try {
      if ((await annotation.read(signal)) !== text) await annotation.write(text, signal);
    } catch (error) {
      if (!(error instanceof RequestError)) throw error;
      trouble = error;
    }
    const isSame =
      trouble?.message === this.#trouble?.message && trouble?.answered === this.#trouble?.answered;
    this.#trouble = trouble;
    if (!isSame) changed();
    return trouble === undefined;
  }
}
