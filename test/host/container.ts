import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Outcome, outcome } from '../../lab/process/run.ts';
import { until } from '../e2e/until.ts';

const script = fileURLToPath(new URL('./container.sh', import.meta.url));

/** ms */
const bootPatience = 60_000;

/** A host: a systemd of its own in a network namespace that is there already. */
export class Container implements AsyncDisposable {
  readonly name: string;
  readonly folder: string;
  readonly #child: ChildProcess;
  readonly #gone: Promise<void>;

  private constructor(name: string, folder: string, child: ChildProcess) {
    this.name = name;
    this.folder = folder;
    this.#child = child;
    this.#gone = new Promise((resolve) => child.once('close', () => resolve()));
  }

  /** Starts it and does not wait. */
  static async start(name: string, namespace: string, rootfs: string, lab: string): Promise<Container> {
    const folder = join(lab, name);
    await mkdir(folder);
    const console = await open(join(folder, 'console'), 'w');
    try {
      // However we die, the container goes along.
      const child = spawn(
        'setpriv',
        ['--pdeathsig', 'KILL', 'unshare', '--mount', '--propagation', 'private'].concat([
          'sh',
          script,
          name,
          namespace,
          rootfs,
          folder,
        ]),
        { stdio: ['ignore', console.fd, console.fd] },
      );
      return new Container(name, folder, child);
    } finally {
      await console.close();
    }
  }

  /** Until all of its units have been started, or have failed. */
  async booted(count = 1): Promise<void> {
    await until(
      `${this.name} has booted`,
      async () => {
        const boots = Number(await this.#note('boots'));
        if (boots < count) return `boot ${boots}`;
        const { out, err } = await this.outcome(['systemctl', 'is-system-running']);
        return out.trim() || err.trim();
      },
      (state) => state === 'running' || state === 'degraded',
      bootPatience,
    );
  }

  /** Runs a command in it. */
  async run(...argv: readonly string[]): Promise<string> {
    const { status, out, err } = await this.outcome(argv);
    if (status === 0) return out;
    throw new Error(`${this.name}: ${argv.join(' ')}: ${status}: ${err.trim()} ${out.trim()}`);
  }

  sh(text: string): Promise<string> {
    return this.run('sh', '-c', text);
  }

  async outcome(argv: readonly string[]): Promise<Outcome> {
    const leader = await this.#leader();
    if (leader === undefined) return { status: 'down', out: '', err: 'the container is not up' };
    const spaces = ['-m', '-u', '-i', '-n', '-p', '-C', '-r', '-w'];
    const clean = ['env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'SYSTEMD_COLORS=0', 'HOME=/root'];
    return await outcome({ argv: ['nsenter', '-t', leader, ...spaces, ...clean, ...argv] });
  }

  /** What a reboot left of our routes before the system came up again. */
  routesAtBoot(): Promise<string | undefined> {
    return this.#note('routes-at-boot');
  }

  async console(): Promise<string> {
    return await readFile(join(this.folder, 'console'), 'utf8');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
    // The mounts are gone with the last process of their namespace, which systemd-nspawn takes along.
    await until(
      `${this.name} is down`,
      () => this.#leader(),
      (leader) => leader === undefined,
    );
  }

  /** The pid of its init, as we see it. */
  async #leader(): Promise<string | undefined> {
    const nspawn = (await this.#note('pid'))?.trim();
    if (!nspawn) return undefined;
    const children = await readUnless(`/proc/${nspawn}/task/${nspawn}/children`);
    return children?.trim().split(' ')[0] || undefined;
  }

  #note(name: string): Promise<string | undefined> {
    return readUnless(join(this.folder, name));
  }
}

/** undefined when it is not there, or not any more. */
async function readUnless(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return undefined;
    throw error;
  }
}
