import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { program } from '../../lab/eiproute/daemon-process.ts';

/** `eiproute demo` as a process, and what it prints. */
export class Playing implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | string>;
  readonly #listeners = new Set<() => void>();
  out = '';
  err = '';

  /** @param before words to go before the program, as `setpriv` */
  constructor(args: readonly string[], before: readonly string[] = []) {
    const [file = program, ...rest] = [...before, program, 'demo', ...args];
    const { FORCE_COLOR: _, ...env } = process.env;
    this.#child = spawn(file, rest, { stdio: ['ignore', 'pipe', 'pipe'], env });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
      this.#tell();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
      this.#tell();
    });
    this.#ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, killed) => {
        resolve(code ?? killed ?? 'unknown');
      });
    });
  }

  /** The exit code, or the signal that ended it. */
  get ended(): Promise<number | string> {
    return this.#ended;
  }

  /** Resolves as soon as it has printed this, on either stream. */
  async printed(pattern: RegExp): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      const look = (): void => {
        if (!pattern.test(this.out) && !pattern.test(this.err)) return;
        this.#listeners.delete(look);
        resolve();
      };
      this.#listeners.add(look);
      look();
    });
    const early = this.#ended.then((how) => {
      throw new Error(`the demo ended (${how}) before it printed ${pattern}:\n${this.out}${this.err}`);
    });
    await Promise.race([seen, early]);
  }

  signal(name: 'SIGINT' | 'SIGKILL'): void {
    this.#child.kill(name);
  }

  /** The four letters of its run, once it has named a namespace. */
  get id(): string {
    return /eip-([a-z0-9]{4})-/.exec(this.out + this.err)?.[1] ?? '';
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    await this.#ended;
  }

  #tell(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

/** What is left of a run on this machine, in words; empty: nothing. */
export function traces(id: string): readonly string[] {
  return [
    ...(existsSync(`/run/eiproute-demo/${id}`) ? [`folder ${id}`] : []),
    ...namespaces(id).map((name) => `namespace ${name}`),
    ...processes(id).map((pid) => `process ${pid}`),
  ];
}

export function namespaces(id: string): readonly string[] {
  return existsSync('/run/netns')
    ? readdirSync('/run/netns').filter((name) => name.startsWith(`eip-${id}-`))
    : [];
}

/** Processes that have a file or namespace of the run on their command line. */
export function processes(id: string): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return line.includes(`/eiproute-demo/${id}/`) || line.includes(`eip-${id}-`);
    } catch (error) {
      // It has ended since.
      if (error instanceof Error && 'code' in error && /^(ENOENT|ESRCH)$/.test(String(error.code))) {
        return false;
      }
      throw error;
    }
  });
}
