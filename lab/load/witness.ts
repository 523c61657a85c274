import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { abortable } from '../../src/abortable.ts';
import { ipBatch, within } from '../process/run.ts';

/** Something the kernel told `ip monitor`. */
export interface Sighting {
  /** ms since the epoch, by the kernel's listener, not by us. */
  readonly at: number;
  /** In iproute2's words, on one line: `Deleted 198.51.100.10 nhid 260000000 proto 86`. */
  readonly text: string;
}

/**
 * Watches routes, nexthops and forwarding of one namespace with `ip monitor`: a second opinion on what the daemon says it
 * did, and when.
 */
export class Witness implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #seen: Sighting[] = [];
  readonly #watchers = new Set<(sighting: Sighting) => void>();
  readonly #gone: Promise<string>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#gone = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('close', (code, killed) => resolve(`ended: ${code ?? killed}`));
    });
    if (child.stdout) createInterface({ input: child.stdout }).on('line', (line) => this.#take(line));
  }

  static async watch(namespace: string, signal: AbortSignal): Promise<Witness> {
    const argv = within(namespace, ['ip', '-ts', '-o', 'monitor', 'route', 'nexthop', 'netconf']);
    // The parent's death takes it along, however we die.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', ...argv], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TZ: 'UTC' },
    });
    const witness = new Witness(child);
    try {
      await witness.#awake(namespace, signal);
    } catch (error) {
      await witness[Symbol.asyncDispose]();
      throw error;
    }
    return witness;
  }

  /** The first sighting at or after `from` (ms, epoch) that matches, whether it is past or still to come. */
  async first(pattern: RegExp, from: number, signal: AbortSignal): Promise<Sighting> {
    const fits = ({ at, text }: Sighting): boolean => at >= from && pattern.test(text);
    const past = this.#seen.find(fits);
    if (past) return past;
    const found = Promise.withResolvers<Sighting>();
    const watch = (sighting: Sighting): void => {
      if (fits(sighting)) found.resolve(sighting);
    };
    this.#watchers.add(watch);
    const gone = this.#gone.then((how) => {
      throw new Error(`ip monitor ${how}`);
    });
    try {
      return await abortable(Promise.race([found.promise, gone]), signal);
    } finally {
      this.#watchers.delete(watch);
    }
  }

  /** Everything seen at or after `from` (ms, epoch) so far. */
  since(from: number): readonly Sighting[] {
    return this.#seen.filter(({ at }) => at >= from);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }

  /** `ip monitor` does not say when it listens: make a mark of our own until it tells of it. */
  async #awake(namespace: string, signal: AbortSignal): Promise<void> {
    const mark = 'unreachable 192.0.2.255 table 8600';
    const heard = this.first(/192\.0\.2\.255 .*table 8600/, 0, signal);
    for (;;) {
      await ipBatch(['-n', namespace], [`route add ${mark}`, `route del ${mark}`], signal);
      const turn = new Promise<undefined>((resolve) => setImmediate(() => resolve(undefined)));
      if ((await Promise.race([heard, turn])) !== undefined) return;
    }
  }

  #take(line: string): void {
    // [2026-11-20T09:59:39.566191] Deleted 198.51.100.9 nhid 5 proto 86 \	nexthop via ...
    const found = /^\[(\S+?)(\d{3})\] ?(.*)$/.exec(line);
    if (!found) return;
    const [, time, micros, text = ''] = found;
    const sighting = {
      at: Date.parse(`${time}Z`) + Number(micros) / 1000,
      text: text.replaceAll(/[\\\t ]+/g, ' ').trim(),
    };
    this.#seen.push(sighting);
    for (const watch of this.#watchers) watch(sighting);
  }
}

/** Long lines of `ip monitor` name every hop of a group; the audience wants the head. */
export function shortened(text: string): string {
  return text.replace(/ (nexthop|pref|scope) .*$/, '').trim();
}
