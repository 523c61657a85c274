import { fileURLToPath } from 'node:url';
import { abortable } from '../../src/abortable.ts';
import { Process } from '../process/process.ts';
import { outcome } from '../process/run.ts';
import { logWords } from './log-words.ts';

/** The lab starts eiproute as a user does. */
export const program = fileURLToPath(new URL('../../bin/eiproute', import.meta.url));

export interface DaemonPlan {
  /** The full name of a network namespace. */
  readonly namespace: string;
  readonly role: 'gateway' | 'node';
  /** Paths of its configuration and of its log. */
  readonly config: string;
  readonly log: string;
}

/** `eiproute gateway` or `eiproute node` as a process of its own. */
export class DaemonProcess implements AsyncDisposable {
  readonly #process: Process;
  readonly #plan: DaemonPlan;

  private constructor(process: Process, plan: DaemonPlan) {
    this.#process = process;
    this.#plan = plan;
  }

  /** Starts it and does not wait; its log goes to a file. */
  static async start(plan: DaemonPlan): Promise<DaemonProcess> {
    const { namespace, role, config, log } = plan;
    const argv = [program, role, '--config', config];
    return new DaemonProcess(await Process.start({ namespace, argv, log, env: clearEnvironment() }), plan);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /**
   * Waits until all that it has to do is done.
   *
   * @throws Error with the end of its log when it dies or does not get there
   */
  async synced(signal: AbortSignal): Promise<void> {
    const { role, config } = this.#plan;
    const argv = [program, 'status', '--config', config, '--wait-synced', '--timeout', '60'];
    const stop = new AbortController();
    const asked = outcome({ argv }, AbortSignal.any([signal, stop.signal]));
    asked.catch(() => undefined);
    const result = await Promise.race([asked, this.#process.ended]);
    stop.abort();
    if (typeof result !== 'string' && result.status === 0) return;
    const how = typeof result === 'string' ? result : `status: ${result.status}: ${result.err}${result.out}`;
    throw new Error(`eiproute ${role}: ${how}\n${await this.lastWords()}`);
  }

  /** SIGSTOP: it hears nothing until SIGCONT. */
  signal(name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#process.signal(name);
  }

  /** @returns how it ended: `exit 0` */
  async kill(how: 'SIGTERM' | 'SIGKILL', signal: AbortSignal): Promise<string> {
    this.#process.signal(how);
    return await abortable(this.#process.ended, signal);
  }

  /** All that it and its predecessors with the same log have written, as JSON lines. */
  logged(): Promise<string> {
    return this.#process.logged();
  }

  /** How it ended; undefined: it runs. */
  howEnded(): Promise<string | undefined> {
    return Promise.race([this.#process.ended, Promise.resolve(undefined)]);
  }

  /** The end of its log, for a person. */
  async lastWords(): Promise<string> {
    return logWords(await this.#process.logTail());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process[Symbol.asyncDispose]();
  }
}

/** Ours, without settings that would change what the daemon does. */
function clearEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(process.env).filter(
      ([name]) => !name.startsWith('EIPROUTE_') && name !== 'STATE_DIRECTORY' && name !== 'RUNTIME_DIRECTORY',
    ),
  );
}
