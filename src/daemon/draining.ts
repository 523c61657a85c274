import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DaemonError } from './daemon-error.ts';
import { replaceFile } from './whole-file.ts';

const name = 'draining';

/** Whether the text is that of the file which {@link Draining} keeps: the time since when, ISO 8601. */
export function isDrainingFile(text: string): boolean {
  return /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\n$/.test(text);
}

/** Whether an operator takes the traffic off this gateway. It is a file in the state directory, so it survives a restart. */
export class Draining {
  readonly #file: string;
  #since: string | undefined;

  private constructor(file: string, since: string | undefined) {
    this.#file = file;
    this.#since = since;
  }

  /** @throws DaemonError when the file cannot be read: whether to announce is not known then */
  static async recall(stateDirectory: string): Promise<Draining> {
    const file = join(stateDirectory, name);
    try {
      const text = await readFile(file, 'utf8');
      // Whatever is in it: somebody has asked for it.
      return new Draining(file, isDrainingFile(text) ? text.trim() : new Date(0).toISOString());
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      if ('code' in cause && cause.code === 'ENOENT') return new Draining(file, undefined);
      throw new DaemonError(
        `cannot read ${file}, which says whether this gateway is drained: ${cause.message}; remove it, or check stateDirectory`,
        { cause },
      );
    }
  }

  /** ISO 8601; undefined: it is not drained. */
  get since(): string | undefined {
    return this.#since;
  }

  /**
   * @param now ms since the epoch
   * @throws DaemonError when it cannot be written: nothing has changed then
   */
  async begin(now: number): Promise<void> {
    if (this.#since !== undefined) return;
    const since = new Date(now).toISOString();
    await this.#change(() => replaceFile(this.#file, `${since}\n`));
    this.#since = since;
  }

  /** @throws DaemonError when the file cannot be removed: nothing has changed then */
  async end(): Promise<void> {
    if (this.#since === undefined) return;
    await this.#change(() => rm(this.#file, { force: true }));
    this.#since = undefined;
  }

  async #change(change: () => Promise<void>): Promise<void> {
    try {
      await change();
    } catch (cause) {
      if (!(cause instanceof Error)) throw cause;
      throw new DaemonError(`cannot write ${this.#file}: ${cause.message}; check stateDirectory`, { cause });
    }
  }
}
