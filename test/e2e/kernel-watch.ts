import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { run } from '../../lab/process/run.ts';
import { tied } from './tied.ts';
import { until } from './until.ts';

/** A destination that nobody else uses. */
const marker = '203.0.113.200';

/** `ip monitor` of routes, nexthops and rules in one namespace. */
export class KernelWatch implements AsyncDisposable {
  readonly #namespace: string;
  readonly #child: ChildProcess;
  #lines: string[] = [];
  #marks = 0;

  private constructor(namespace: string) {
    this.#namespace = namespace;
    const argv = ['ip', '-n', namespace, 'monitor', 'route', 'nexthop', 'rule'];
    this.#child = tied(argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('no pipe from ip monitor');
    createInterface({ input: stdout }).on('line', (line) => this.#lines.push(line.trim()));
  }

  /** Resolves when it hears. */
  static async start(namespace: string): Promise<KernelWatch> {
    const watch = new KernelWatch(namespace);
    await until(
      'ip monitor hears',
      async () => {
        await watch.#mark();
        return watch.#lines;
      },
      (lines) => lines.some((line) => line.includes(marker)),
    );
    await watch.take();
    return watch;
  }

  /** All that has happened in the kernel since the last call; what is heard before a mark is all before it. */
  async take(): Promise<readonly string[]> {
    const mark = await this.#mark();
    await until(
      'ip monitor tells of the mark',
      () => this.#lines,
      (lines) => lines.some((line) => line.includes('Deleted') && line.includes(mark)),
    );
    const lines = this.#lines;
    this.#lines = [];
    return lines.filter((line) => !line.includes(marker));
  }

  async #mark(): Promise<string> {
    this.#marks += 1;
    const metric = `metric ${this.#marks}`;
    const route = ['blackhole', marker, ...metric.split(' ')];
    await run({ argv: ['ip', '-n', this.#namespace, 'route', 'add', ...route] });
    await run({ argv: ['ip', '-n', this.#namespace, 'route', 'delete', ...route] });
    return `${metric}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}
