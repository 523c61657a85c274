import { isFileError } from '../cluster/file-error.ts';
import { Signal } from '../cluster/signal.ts';
import { type Ip, parseIp } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import type { Kept, KeptCarriers } from '../probe/kept.ts';
import { Rests } from '../probe/rests.ts';
import { readIfThere, replaceFile } from './whole-file.ts';

/** Below the state directory. */
export const coveringFile = 'covering.json';

const version = 1;
/** ms between two writes */
const writeRest = 1000;
const none: readonly Problem[] = [];

export interface CoveringMemorySources {
  readonly kept: () => Kept;
  /** Another number whenever {@link kept} returns something else than that time has passed. */
  readonly changes: () => number;
  /** ms since the epoch */
  readonly clock: () => number;
}

/** Whether the text is that of the file of {@link CoveringMemory}. */
export function isCoveringMemory(text: string): boolean {
  try {
    const content: unknown = JSON.parse(text);
    if (!isObject(content)) return false;
    const { version: written, services, deleted } = content;
    return typeof written === 'number' && isObject(services) && isObject(deleted);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/** Who carried until lately, in a file of the state directory: the others cover for them over a restart as well. */
export class CoveringMemory {
  readonly #file: string;
  readonly #sources: CoveringMemorySources;
  readonly #due = new Signal(() => {});
  /** The changes that are in the file. */
  #written: number;
  #problems = none;

  constructor(file: string, sources: CoveringMemorySources) {
    this.#file = file;
    this.#sources = sources;
    this.#written = sources.changes();
  }

  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** What was written last, as it is now; undefined: nothing that could be read. */
  async recall(): Promise<Kept | undefined> {
    try {
      const text = await readIfThere(this.#file);
      return text === undefined ? undefined : keptOf(text, this.#sources.clock());
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      this.#tell({
        message: `which nodes others cover for is not known since before the start: ${error.message}; flows may have moved`,
        advice: 'nothing to do: the file is written anew with the next node or pod that goes',
      });
      return undefined;
    }
  }

  /** To be called after a round: writes what has changed. */
  rounded(): void {
    if (this.#sources.changes() !== this.#written) this.#due.notify();
  }

  /** Writes until the signal is aborted, and at the end what is not written yet. */
  async run(signal: AbortSignal): Promise<void> {
    const rests = new Rests(signal);
    for await (const _due of this.#due.listen(signal)) {
      await this.#write();
      await rests.take(writeRest);
    }
    await this.#write();
  }

  async #write(): Promise<void> {
    const changes = this.#sources.changes();
    if (changes === this.#written) return;
    try {
      await replaceFile(this.#file, textOf(this.#sources.kept(), this.#sources.clock()));
      this.#written = changes;
      this.#problems = none;
    } catch (error) {
      if (!isFileError(error)) throw error;
      this.#tell({
        message: `which nodes others cover for cannot be saved: ${error.message}; a restart would move flows`,
        advice: 'check space and permissions of stateDirectory',
      });
    }
  }

  #tell(words: Pick<Problem, 'message' | 'advice'>): void {
    this.#problems = [{ code: 'covering-not-remembered', severity: 'warn', subject: this.#file, ...words }];
  }
}

function textOf({ services, clusters, deleted }: Kept, at: number): string {
  const carriers = (kept: Kept['services']): object =>
    Object.fromEntries(
      [...kept].map(([key, { carrying, left }]) => [
        key,
        { carrying, left: { 4: Object.fromEntries(left[4]), 6: Object.fromEntries(left[6]) } },
      ]),
    );
  const content = {
    version,
    at,
    services: carriers(services),
    clusters: carriers(clusters),
    deleted: Object.fromEntries(deleted),
  };
  return `${JSON.stringify(content)}\n`;
}

/** @throws Error that says why the text cannot be used */
function keptOf(text: string, now: number): Kept {
  const content = fieldsOf(JSON.parse(text));
  if (content['version'] !== version) throw new Error(`it is not of version ${version}`);
  // A clock that was set back makes nothing younger.
  const since = Math.max(0, now - numberOf(content['at']));
  const carriers = (found: unknown): Kept['services'] =>
    mapOf(found, (one) => carriersOf(fieldsOf(one), since));
  return {
    services: carriers(content['services']),
    clusters: carriers(content['clusters']),
    deleted: mapOf(content['deleted'], (one) => {
      const { addresses, ms } = fieldsOf(one);
      return { addresses: textsOf(addresses).map((ip): Ip => parseIp(ip)), ms: numberOf(ms) + since };
    }),
  };
}

function carriersOf({ carrying, left }: Fields, since: number): KeptCarriers {
  const [on, off] = [fieldsOf(carrying), fieldsOf(left)];
  const times = (found: unknown): ReadonlyMap<string, number> => mapOf(found, (ms) => numberOf(ms) + since);
  return {
    carrying: { 4: textsOf(on['4']), 6: textsOf(on['6']) },
    left: { 4: times(off['4']), 6: times(off['6']) },
  };
}

type Fields = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function fieldsOf(value: unknown): Fields {
  if (!isObject(value)) throw new Error('it has another shape');
  return value;
}

function mapOf<T>(value: unknown, make: (one: unknown) => T): ReadonlyMap<string, T> {
  return new Map(Object.entries(fieldsOf(value)).map(([key, one]) => [key, make(one)]));
}

function textsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value) || !value.every((one) => typeof one === 'string'))
    throw new Error('it has another shape');
  return value;
}

function numberOf(value: unknown): number {
  if (typeof value !== 'number') throw new Error('it has another shape');
  return value;
}
