import { execFileSync, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

/** A change in the kernel's tables. */
export interface Notification {
  /** ms since the epoch */
  readonly at: number;
  /** As iproute2 words it, after what happened: `route deleted: 198.18.0.1 nhid 260001 dev eth0 proto 86`. */
  readonly text: string;
}

/**
 * The kernel's notifications of routes and nexthops, each with the time at which `ip monitor` had it. Its priority is
 * real-time: the time is that of the kernel, and not that of a program which shares two cores with a daemon and an API
 * server.
 */
export class Witness implements Disposable {
  readonly #process = spawn(
    'setpriv',
    `--pdeathsig KILL chrt --fifo 50 ip -tshort -rcvbuf 16777216 monitor nexthop route`.split(' '),
    // It prints local time, without its zone.
    { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, TZ: 'UTC' } },
  );
  readonly #lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  /** A notification does not say whether a nexthop is a new one. */
  readonly #nexthops: Set<string>;

  private constructor() {
    const known = execFileSync('ip', ['nexthop', 'show'], { maxBuffer: 1 << 26 }).toString();
    this.#nexthops = new Set([...known.matchAll(/^id (\d+)/gm)].map(([, id = '']) => id));
  }

  /** The tables must not change until it listens. */
  static async listening(): Promise<Witness> {
    const witness = new Witness();
    const first = witness.next();
    // Nothing else tells that it listens.
    const mark = ['192.0.2.1/32', 'dev', 'lo', 'proto', 'static'];
    const probe = setInterval(() => {
      for (const verb of ['add', 'delete']) execFileSync('ip', ['route', verb, ...mark]);
    }, 50);
    await first;
    clearInterval(probe);
    return witness;
  }

  async next(): Promise<Notification> {
    const { done, value } = await this.#lines.next();
    if (done) throw new Error('ip monitor has ended');
    const [, date, fraction, text] = /^\[(.+)(\.\d+)\] (.+)$/.exec(value) ?? [];
    if (text === undefined) throw new Error(`ip monitor says '${value}'`);
    return { at: Date.parse(`${date}Z`) + Number(fraction) * 1000, text: this.#worded(text.trimEnd()) };
  }

  #worded(text: string): string {
    const [, deleted, rest = '', id] = /^(Deleted )?((?:id (\d+) )?.*)$/.exec(text) ?? [];
    if (id === undefined) return `route ${deleted ? 'deleted' : 'set'}: ${rest}`;
    const isKnown = this.#nexthops.has(id);
    if (deleted) this.#nexthops.delete(id);
    else this.#nexthops.add(id);
    return `nexthop ${deleted ? 'deleted' : isKnown ? 'replaced' : 'added'}: ${rest}`;
  }

  [Symbol.dispose](): void {
    this.#process.kill();
  }
}
