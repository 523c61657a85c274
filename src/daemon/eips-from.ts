import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { systemClock } from '../cluster/clock.ts';
import { requestTrouble, troubleText } from '../cluster/failure.ts';
import type { HttpTransport } from '../cluster/http.ts';
import type { EipsOrigin } from '../config/config.ts';
import { readEipsText } from '../config/eips-text.ts';
import { nodeProblems } from '../desire/node-problems.ts';
import type { Prefix } from '../model/ip.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Link } from '../model/object.ts';
import type { Problem, ProblemCode } from '../model/problem.ts';
import { recallEips, rememberEips } from './eips-memory.ts';

/** ms for one answer of the API */
const patience = 10_000;

/** The configuration and the links that new networks are checked against. */
export interface NodeContext {
  readonly agent: NodeAgent;
  readonly links: readonly Link[];
}

/**
 * The EIP networks of a node from a ConfigMap: polled, and kept on disk. When the API fails or the object is invalid,
 * a problem is reported and the last valid value stays.
 */
export class EipsFrom {
  readonly #from: EipsOrigin;
  readonly #file: string;
  #eips: readonly Prefix[] | undefined;
  #saved: readonly Prefix[] | undefined;
  /** By their cause: the ConfigMap, or the file on disk. */
  readonly #problems = new Map<'object' | 'memory', Problem>();

  /** @param stateDirectory of the node */
  constructor(from: EipsOrigin, stateDirectory: string) {
    this.#from = from;
    this.#file = join(stateDirectory, 'node', 'eips.json');
  }

  /** The agent with the networks of the ConfigMap; before it was read once, with those of the configuration. */
  applied(agent: NodeAgent): NodeAgent {
    return this.#eips === undefined ? agent : { ...agent, eips: this.#eips };
  }

  problems(): readonly Problem[] {
    return [...this.#problems.values()];
  }

  /** Loads the networks from disk, if they are valid here. */
  async recall(context: NodeContext): Promise<void> {
    try {
      const text = await recallEips(this.#file, this.#object());
      if (text === undefined) return;
      const { eips, why } = this.#read(text, context);
      if (eips === undefined) throw new Error(why);
      this.#eips = eips;
      this.#saved = eips;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#tell('memory', {
        code: 'remembered-eips-unreadable',
        severity: 'warn',
        subject: this.#file,
        message: `the last known networks of EIPs cannot be used: ${error.message}`,
        advice: 'nothing to do when the API is reachable: the file is rewritten then',
      });
    }
  }

  /** Polls once, within the time limit of one request. */
  async first(context: NodeContext, signal: AbortSignal): Promise<void> {
    await using api = await this.#open();
    await this.#look(api, context, signal);
  }

  /**
   * Polls until the signal is aborted.
   *
   * @param context called before each poll
   * @param changed called when networks or problems have changed
   */
  async follow(context: () => NodeContext, changed: () => void, signal: AbortSignal): Promise<void> {
    await using api = await this.#open();
    while (!signal.aborted) {
      const before = [this.#eips, this.problems()];
      await this.#look(api, context(), signal);
      if (signal.aborted) return;
      if (!isDeepStrictEqual(before, [this.#eips, this.problems()])) changed();
      // Jitter: after an outage, not all nodes of a cluster may poll at once.
      const rest = this.#from.every * (0.75 + systemClock.random() / 2);
      await systemClock.sleep(rest, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }

  async #open(): Promise<HttpTransport> {
    // Imported late: most nodes need no API, and the module costs memory.
    const http = await import('../cluster/http.ts');
    return new http.HttpTransport(this.#from);
  }

  async #look(api: HttpTransport, context: NodeContext, signal: AbortSignal): Promise<void> {
    const { namespace, name, key } = this.#from;
    const limit = AbortSignal.timeout(patience);
    let answer: unknown;
    try {
      const path = `/api/v1/namespaces/${namespace}/configmaps/${name}`;
      answer = await api.send('GET', path, undefined, undefined, AbortSignal.any([signal, limit]));
    } catch (error) {
      if (signal.aborted) return;
      const words = limit.aborted
        ? `no answer within ${patience / 1000} s`
        : troubleText(requestTrouble(error, 'get configmaps', 'ready'));
      this.#refuse('eips-not-read', 'warn', `cannot be read: ${words}`);
      return;
    }
    const text = valueAt(answer, key);
    if (text === undefined) {
      this.#refuse('eips-refused', 'error', `has no key ${JSON.stringify(key)}`);
      return;
    }
    const { eips, why } = this.#read(text, context);
    if (eips === undefined) {
      this.#refuse('eips-refused', 'error', `is refused: ${why}`);
      return;
    }
    this.#tell('object', undefined);
    if (!isDeepStrictEqual(this.#eips, eips)) this.#eips = eips;
    await this.#remember(eips);
  }

  /** Parses a text and checks it against the gateways and networks of this node. */
  #read(
    text: string,
    { agent, links }: NodeContext,
  ): { readonly eips: readonly Prefix[] | undefined; readonly why: string } {
    const found = readEipsText(text, agent.gateways);
    if (found.kind === 'refused') return { eips: undefined, why: found.why };
    const { eips } = found;
    // Already applied; later problems are reported per round.
    if (isDeepStrictEqual(eips, this.#eips)) return { eips, why: '' };
    const wrong = nodeProblems({ ...agent, eips }, links).filter(({ code }) =>
      /^eips-overlap-network$|^no-ipv/.test(code),
    );
    if (wrong.length === 0) return { eips, why: '' };
    return { eips: undefined, why: wrong.map(({ message }) => message).join('; ') };
  }

  async #remember(eips: readonly Prefix[]): Promise<void> {
    if (isDeepStrictEqual(eips, this.#saved)) return;
    try {
      await rememberEips(this.#file, this.#object(), eips);
      this.#saved = eips;
      this.#tell('memory', undefined);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error)) throw error;
      this.#tell('memory', {
        code: 'eips-not-remembered',
        severity: 'warn',
        subject: this.#file,
        message: `the networks of EIPs cannot be saved: ${error.message}; a restart with the API down would lose them`,
        advice: 'check space and permissions of stateDirectory',
      });
    }
  }

  #refuse(code: ProblemCode, severity: Problem['severity'], what: string): void {
    const { namespace, name } = this.#from;
    this.#tell('object', {
      code,
      severity,
      subject: `ConfigMap ${namespace}/${name}`,
      message: `ConfigMap ${namespace}/${name} ${what}; the networks of EIPs stay as they are`,
      advice: `kubectl get configmap -n ${namespace} ${name} -o yaml shows what is there; docs/node.md what it may hold`,
    });
  }

  #tell(about: 'object' | 'memory', problem: Problem | undefined): void {
    if (problem === undefined) this.#problems.delete(about);
    else this.#problems.set(about, problem);
  }

  /** Name of the object that the file on disk was read from. */
  #object(): string {
    const { namespace, name, key } = this.#from;
    return `${namespace}/${name} ${key}`;
  }
}

/** One value of a ConfigMap's data. */
function valueAt(object: unknown, key: string): string | undefined {
  if (typeof object !== 'object' || object === null || !('data' in object)) return undefined;
  const { data } = object;
  if (typeof data !== 'object' || data === null) return undefined;
  const value: unknown = new Map(Object.entries(data)).get(key);
  return typeof value === 'string' ? value : undefined;
}
