import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { within } from './run.ts';
import { waitFor } from './wait.ts';

export interface ProcessPlan {
  /** The full name of a network namespace. */
  readonly namespace: string;
  readonly argv: readonly string[];
  /** Path of the file that its output is appended to. */
  readonly log: string;
  /** Instead of this process's environment. */
  readonly env?: NodeJS.ProcessEnv;
}

/** A program that runs in a network namespace until it is ended. It never outlives this process. */
export class Process implements AsyncDisposable {
  /** How it ended: `exit 0`, `exit SIGKILL`, or why it could not be started. */
  readonly ended: Promise<string>;
  readonly #child: ChildProcess;
  readonly #log: string;

  private constructor(child: ChildProcess, log: string) {
    this.#child = child;
    this.#log = log;
    this.ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, killed) => resolve(`exit ${code ?? killed}`));
    });
  }

  /** Starts it and does not wait. */
  static async start({ namespace, argv, log, env = process.env }: ProcessPlan): Promise<Process> {
    const file = await open(log, 'a');
    try {
      // The parent's death ends it, whatever the parent dies of: nothing is left running.
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...within(namespace, argv)], {
        stdio: ['ignore', file.fd, file.fd],
        env,
      });
      return new Process(child, log);
    } finally {
      await file.close();
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /**
   * Waits until it serves.
   *
   * @param what in words, for the error: 'nginx listens'
   * @throws Error with the end of its log when it ends, or the signal is aborted first
   */
  async serves(what: string, look: () => Promise<true | undefined>, signal: AbortSignal): Promise<void> {
    const stop = new AbortController();
    const found = waitFor(what, look, AbortSignal.any([signal, stop.signal]));
    // Whichever loses the race has nobody who listens.
    found.catch(() => undefined);
    try {
      const how = await Promise.race([found, this.ended]);
      if (how !== true) throw new Error(`${what}: it ended: ${how}`);
    } catch (cause) {
      throw new Error(`${cause instanceof Error ? cause.message : cause}\n${await this.logTail()}`, {
        cause,
      });
    } finally {
      stop.abort();
    }
  }

  /** All that it has written. */
  logged(): Promise<string> {
    return readFile(this.#log, 'utf8');
  }

  /** The last lines of its log. */
  async logTail(): Promise<string> {
    const text = await this.logged();
    return text.trimEnd().split('\n').slice(-20).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.ended;
  }
}

/** Resident memory of a process, MiB. */
export async function residentMiB(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+)/m.exec(text)?.[1] ?? Number.NaN) / 1024;
}

/** Processor time that a process has used, user and system, in s. */
export async function processorSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  // The name, in parentheses, may hold spaces.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

/** USER_HZ: 100 on every architecture that Node runs on. */
const ticksPerSecond = 100;
