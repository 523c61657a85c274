import type { Clock } from '../cluster/clock.ts';
import type { ConfigMapPort, ConfigMapState } from '../cluster/config-map.ts';
import { Signal } from '../cluster/signal.ts';
import type { Refusal } from '../cluster/writer.ts';
import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import {
  type LeavingNodes,
  type Publication,
  publicationText,
  readPublication,
} from '../model/publication.ts';
import { backoff } from '../reconcile/backoff.ts';
import type { PublishStatus } from '../status/status.ts';

/** ms between two tries of a write that is refused */
const pace = { first: 1000, longest: 60_000 };
/** ms between two writes of which the second only tells of other nodes that leave EIPs: every agent reads each of them */
const leavePace = 1000;
/** In the words of the row beside, which has the error. */
const unreachable = 'the API does not answer';

/** What is to be published, as far as it is known. */
export interface Wanted extends Omit<Publication, 'id' | 'draining' | 'leaving'> {
  /** undefined: what was published before holds. */
  readonly draining: readonly Ip[] | undefined;
  /** undefined: what was published before holds. */
  readonly leaving: LeavingNodes | undefined;
}

interface Want {
  readonly value: string;
  readonly leaving: LeavingNodes;
  readonly isShown: boolean;
}

export interface PublishingInputs {
  readonly port: ConfigMapPort;
  /** The cluster that the ConfigMap is in; absent: it is the only one. */
  readonly cluster?: string | undefined;
  /** The key of this gateway. */
  readonly name: string;
  /** The same after a restart, and that of no other gateway. */
  readonly id: string;
  /** What is to be published now. */
  readonly wanted: () => Wanted;
  readonly clock: Clock;
  /** Called with what agents can read now. */
  readonly readable: (leaving: LeavingNodes) => void;
  /** Called when {@link Publishing.problems} or the status may be others. */
  readonly changed: () => void;
}

/** Keeps one key of a ConfigMap as it should be, and writes only when the watch shows another value. */
export class Publishing {
  readonly #inputs: PublishingInputs;
  readonly #wake = new Signal(() => {});
  /** A write is to wait. */
  readonly #early = new Signal<number, number>((_, ms) => ms);
  /** What was written last, and the state that this was an answer to: a watch shows a write a moment later. */
  #written: { readonly value: string; readonly over: ConfigMapState; readonly at: number } | undefined;
  /** The watch has shown our value. */
  #isShown = false;
  /** Another gateway writes under our name. */
  #isTaken = false;
  /** The object was there: without it, nobody has asked us to publish. */
  #wasThere = false;
  /** Why the last write failed. */
  #refusal: Refusal | undefined;

  constructor(inputs: PublishingInputs) {
    this.#inputs = inputs;
  }

  /** The cluster that it publishes in; undefined: it is the only one */
  get cluster(): string | undefined {
    return this.#inputs.cluster;
  }

  /** What is wanted, or what is known of it, may have changed. */
  notify(): void {
    this.#wake.notify();
  }

  /** Agents hear what is written now, as far as it is known. */
  get isAnswered(): boolean {
    const { synced, object, trouble } = this.#inputs.port.state;
    const isThere = synced && object !== undefined && trouble === undefined;
    return isThere && !this.#isTaken && this.#refusal === undefined;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { port, changed, clock } = this.#inputs;
    const awake = this.#wake.listen(signal);
    const early = this.#early.listen(signal);
    this.#look();
    const follow = async (): Promise<void> => {
      for await (const _ of port.changes(signal)) {
        this.#look();
        changed();
        this.#wake.notify();
      }
    };
    const write = async (): Promise<void> => {
      for await (const _ of awake) await this.#write(signal);
    };
    const wait = async (): Promise<void> => {
      for await (const ms of early) {
        await rested(clock, ms, signal);
        this.#wake.notify();
      }
    };
    await Promise.all([follow(), write(), wait()]);
  }

  status(): PublishStatus {
    const { port, name } = this.#inputs;
    const where = { configMap: `${port.name.namespace}/${port.name.name}`, name };
    const { object, synced, trouble } = port.state;
    if (trouble !== undefined) {
      const why = trouble.answered ? trouble.message : unreachable;
      return { ...where, state: 'not published', why };
    }
    if (!synced) return { ...where, state: 'not read yet', why: undefined };
    if (object === undefined) return { ...where, state: 'not published', why: 'there is no such ConfigMap' };
    if (this.#isTaken) return { ...where, state: 'not published', why: 'another gateway has this name' };
    if (this.#due() === undefined && this.#refusal === undefined)
      return { ...where, state: 'published', why: undefined };
    const refusal = this.#refusal;
    const why =
      refusal === undefined ? 'it is being written' : refusal.answered ? refusal.message : unreachable;
    return { ...where, state: 'not published', why };
  }

  /** What a person should know. Where nobody has made the object, nothing is wrong. */
  problems(): readonly Problem[] {
    const { port, name } = this.#inputs;
    const { object, trouble } = port.state;
    const { cluster } = this.#inputs;
    const where = cluster === undefined ? '' : ` of cluster ${cluster}`;
    const subject = `ConfigMap ${port.name.namespace}/${port.name.name}${where}`;
    const stays = 'agents of the nodes keep what was published before';
    if (this.#isTaken) {
      const message = `another gateway publishes as ${name} in ${subject}, so this one does not; agents do not learn its pools and addresses`;
      const advice = 'give each gateway a publish.name of its own';
      return [{ code: 'publish-name-taken', severity: 'warn', subject, message, advice }];
    }
    if (!this.#wasThere) return [];
    const refused = (message: string, advice: string): readonly Problem[] => [
      { code: 'publish-refused', severity: 'warn', subject, message: `${message}; ${stays}`, advice },
    ];
    // An API that cannot be reached is told by the feeds.
    if (trouble?.answered)
      return refused(`${subject} cannot be read: ${trouble.message}`, trouble.advice ?? 'it is tried again');
    if (object === undefined)
      return refused(`${subject} is gone`, 'make it again: kubectl apply -f docs/rbac.yaml');
    if (!this.#refusal?.answered) return [];
    return refused(
      `this gateway cannot publish in ${subject}: ${this.#refusal.message}`,
      'it is tried again by itself',
    );
  }

  /** The value that has to be written now; undefined: none. */
  #due(): string | undefined {
    const want = this.#want();
    return want?.isShown ? undefined : want?.value;
  }

  /** The value that is to be there, and whether it is; undefined: none. */
  #want(): Want | undefined {
    const { port, id, name, wanted } = this.#inputs;
    const { object } = port.state;
    if (object === undefined) return undefined;
    const now = wanted();
    // Before the first dump of the kernel.
    if (now.lan.length === 0 || this.#isTaken) return undefined;
    const shown = object.data.get(name) ?? '';
    const before = now.draining === undefined || now.leaving === undefined ? publicationOf(shown) : undefined;
    const { draining = before?.draining ?? [], leaving = before?.leaving ?? new Map() } = now;
    const value = publicationText({ ...now, id, draining, leaving });
    return { value, leaving, isShown: shown === value };
  }

  /** ms for which a value is not to be written yet. */
  #restBefore(value: string): number {
    if (this.#written === undefined) return 0;
    const ms = this.#written.at + leavePace - this.#inputs.clock.now();
    // A clock that was set back says nothing.
    if (ms <= 0 || ms > leavePace) return 0;
    return withoutLeaving(value) === withoutLeaving(this.#written.value) ? ms : 0;
  }

  /** Notes what the watch shows. */
  #look(): void {
    const { port, id, name } = this.#inputs;
    const { object } = port.state;
    this.#wasThere ||= object !== undefined;
    const owner = publicationOf(object?.data.get(name) ?? '')?.id;
    if (owner === id) this.#isShown = true;
    // The gateway that was overwritten gives way: two gateways that both write again would do so for ever.
    this.#isTaken = this.#isShown && owner !== undefined && owner !== id;
  }

  async #write(signal: AbortSignal): Promise<void> {
    const { port, name, clock, readable, changed } = this.#inputs;
    for (let failures = 0; ; failures += 1) {
      const want = this.#want();
      if (want === undefined) return;
      const { value, leaving, isShown } = want;
      const over = port.state;
      if (isShown || (this.#written?.value === value && this.#written.over === over)) {
        readable(leaving);
        return;
      }
      const early = this.#restBefore(value);
      if (early > 0) {
        this.#early.notify(early);
        return;
      }
      const outcome = await port.set(name, value, signal);
      const refusal = outcome.kind === 'refused' ? outcome : undefined;
      const isOther =
        refusal?.message !== this.#refusal?.message || refusal?.answered !== this.#refusal?.answered;
      this.#refusal = refusal;
      if (isOther) changed();
      if (outcome.kind === 'done') {
        this.#written = { value, over, at: clock.now() };
        readable(leaving);
      }
      if (outcome.kind !== 'refused') return;
      const rest = outcome.wait ?? backoff(failures + 1, pace.first, pace.longest, clock.random());
      await rested(clock, rest, signal);
      if (signal.aborted) return;
    }
  }
}

/** Resolves after so many ms, or when the signal is aborted. */
async function rested(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(ms, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

function withoutLeaving(value: string): string {
  const publication = publicationOf(value);
  return publication === undefined ? value : publicationText({ ...publication, leaving: new Map() });
}

/** undefined: the value cannot be read. */
function publicationOf(text: string): Publication | undefined {
  try {
    return readPublication(text);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return undefined;
  }
}
