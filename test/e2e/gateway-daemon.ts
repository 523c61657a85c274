import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { tied } from './tied.ts';
import { until } from './until.ts';

/** One line of the journal, as JSON says it. */
export interface Line {
  readonly level: string;
  readonly msg: string;
  readonly [fact: string]: unknown;
}

/** `eiproute gateway` as a process of its own. */
export class GatewayDaemon implements AsyncDisposable {
  readonly journal: Line[] = [];
  /** What it wrote that is no line of the journal. */
  readonly words: string[] = [];
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | string>;
  #end: number | string | undefined;

  /** @param argv the whole command line */
  constructor(argv: readonly string[]) {
    this.#child = tied(argv, { stdio: ['ignore', 'inherit', 'pipe'], env: environment() });
    const { stderr } = this.#child;
    if (stderr === null) throw new Error('no pipe from the daemon');
    createInterface({ input: stderr }).on('line', (line) => {
      if (line.startsWith('{')) this.journal.push(JSON.parse(line));
      else this.words.push(line);
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#end = code ?? signal ?? 'unknown';
        resolve(this.#end);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Exit code or signal; undefined while it runs. */
  get end(): number | string | undefined {
    return this.#end;
  }

  /** All it has said from a place on, one line of text per line. */
  text(from = 0): string {
    return [...this.words, ...this.journal.slice(from).map((line) => JSON.stringify(line))].join('\n');
  }

  /** Waits for a line of the journal, from a place on; it may have been said already. */
  async says(pattern: RegExp, from = 0): Promise<Line> {
    const found = (): Line | undefined =>
      this.journal.slice(from).find((line) => pattern.test(JSON.stringify(line)));
    await until(
      `the journal says ${pattern}`,
      () => this.text(from),
      () => found() !== undefined || this.#end !== undefined,
    );
    const line = found();
    if (line === undefined) throw new Error(`the daemon ended with ${this.#end}:\n${this.text()}`);
    return line;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** @returns its exit code, or the signal that ended it */
  async ended(): Promise<number | string> {
    return await this.#ended;
  }

  async stop(name: NodeJS.Signals = 'SIGTERM'): Promise<number | string> {
    this.signal(name);
    return await this.#ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
  }
}

/** Ours, without settings that would change what is tested. */
function environment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith('EIPROUTE_') && !['STATE_DIRECTORY', 'RUNTIME_DIRECTORY'].includes(name),
    ),
  );
}
