import { type ChildProcess, spawn } from 'node:child_process';
import { open, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { abortable } from '../../src/abortable.ts';
import { outcome, within } from '../process/run.ts';

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
  readonly #child: ChildProcess;
  readonly #gone: Promise<string>;
  readonly #plan: DaemonPlan;

  private constructor(child: ChildProcess, plan: DaemonPlan) {
    this.#child = child;
    this.#plan = plan;
    this.#gone = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, killed) => resolve(`exit ${code ?? killed}`));
    });
  }

  /** Starts it and does not wait; its log goes to a file. */
  static async start(plan: DaemonPlan): Promise<DaemonProcess> {
    const { namespace, role, config, log } = plan;
    const file = await open(log, 'a');
    try {
      const argv = within(namespace, [program, role, '--config', config]);
      // The parent's death ends it, whatever the parent dies of: nothing is left running.
      const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
        stdio: ['ignore', file.fd, file.fd],
        env: clearEnvironment(),
      });
      return new DaemonProcess(child, plan);
    } finally {
      await file.close();
    }
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /**
   * Waits until all that it has to do is done.
   *
   * @throws Error with the end of its log when it dies or does not get there
   */
  async synced(signal: AbortSignal): Promise<void> {
    const { role, config } = this.#plan;
    const argv = [program, 'status', '--config', config, '--wait-synced', '--timeout', '10'];
    const stop = new AbortController();
    const asked = outcome({ argv }, AbortSignal.any([signal, stop.signal]));
    asked.catch(() => undefined);
    const result = await Promise.race([asked, this.#gone]);
    stop.abort();
    if (typeof result !== 'string' && result.status === 0) return;
    const how = typeof result === 'string' ? result : `status: ${result.status}: ${result.err}`;
    throw new Error(`eiproute ${role}: ${how}\n${await this.logTail()}`);
  }

  /** @returns how it ended: `exit 0` */
  async kill(how: 'SIGTERM' | 'SIGKILL', signal: AbortSignal): Promise<string> {
    this.#child.kill(how);
    return await abortable(this.#gone, signal);
  }

  async logTail(): Promise<string> {
    const text = await readFile(this.#plan.log, 'utf8');
    return text.trimEnd().split('\n').slice(-20).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
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
