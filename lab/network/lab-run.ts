import { spawnSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import { mkdir, readdir, readlink, rename, rm, rmdir, stat } from 'node:fs/promises';
import { connect, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { namespacePath } from '../process/namespace.ts';
import { CommandError, outcome } from '../process/run.ts';

/** One folder per run. /run, since what it tells of (namespaces) does not survive a reboot either. */
const runs = '/run/eiproute-demo';

/**
 * A run of the lab: its folder, and the name that all of its namespaces begin with. The folder holds a socket
 * on which the run listens as long as it lives, however it dies; so a later run can tell what is left over
 * from what is in use, without trusting a pid.
 */
export class LabRun implements AsyncDisposable {
  /** Four letters, the unique part of every name. */
  readonly id: string;
  readonly folder: string;
  readonly #alive: Server;
  /** `process.exit` waits for nothing: then the namespaces go this way. */
  readonly #atExit = (): void => cleanNow(this.id);

  private constructor(id: string, alive: Server) {
    this.id = id;
    this.folder = join(runs, id);
    this.#alive = alive;
    process.once('exit', this.#atExit);
  }

  static async begin(): Promise<LabRun> {
    const id = Array.from({ length: 4 }, () => letters[randomInt(letters.length)]).join('');
    // Born under a hidden name, so that no other run ever sees a folder without its socket.
    const cradle = join(runs, `.${id}-${process.pid}`);
    await mkdir(cradle, { recursive: true });
    const alive = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve, reject) => {
      alive.once('error', reject);
      alive.listen(join(cradle, socketName), resolve);
    });
    // Its only job is to exist; it must not keep a finished process waiting.
    alive.unref();
    await rename(cradle, join(runs, id));
    return new LabRun(id, alive);
  }

  /** `eip-x7k2-gateway` */
  name(part: string): string {
    return `eip-${this.id}-${part}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await clean(this.id);
    process.off('exit', this.#atExit);
    await new Promise((resolve) => this.#alive.close(resolve));
  }
}

/**
 * Removes what runs that are no longer alive have left behind: processes in their namespaces, the namespaces,
 * the folder.
 *
 * @returns the ids of the removed runs
 */
export async function removeLeftovers(): Promise<readonly string[]> {
  const removed: string[] = [];
  for (const id of await ids()) {
    if (await isAlive(id)) continue;
    await clean(id);
    removed.push(id);
  }
  return removed;
}

/** Names of the namespaces that belong to a run. */
async function namespacesOf(id: string): Promise<readonly string[]> {
  const names = await list(namespacePath(''));
  return names.filter((name) => name.startsWith(`eip-${id}-`)).sort();
}

const letters = 'abcdefghjkmnpqrstuvwxyz23456789';
const socketName = 'alive';

async function ids(): Promise<readonly string[]> {
  const now = Date.now();
  const found: string[] = [];
  for (const name of await list(runs)) {
    if (!name.startsWith('.')) found.push(name);
    // A run that died between two lines of `begin`.
    else if ((await age(join(runs, name), now)) > 10_000) await rm(join(runs, name), { recursive: true });
  }
  return found.filter((name) => /^[a-z0-9]{4}$/.test(name)).sort();
}

function isAlive(id: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connect(join(runs, id, socketName));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(false);
      else reject(new Error(`cannot tell whether run ${id} is alive`, { cause: error }));
    });
  });
}

async function clean(id: string): Promise<void> {
  const names = await namespacesOf(id);
  // Processes first: a namespace lives on, unnamed, while one of them is in it.
  for (const pid of await processesIn(names)) kill(pid);
  const lines = names.map((name) => `netns del ${name}\n`);
  const { err } = await outcome({ argv: ['ip', '-force', '-batch', '-'], input: lines.join('') });
  // Another run may have removed them at the same time; only what is still there is a failure.
  const left = await namespacesOf(id);
  if (left.length > 0) throw new CommandError(`cannot remove ${left.join(', ')}: ${err.trim()}`);
  await rm(join(runs, id), { recursive: true, force: true });
  // The last one out takes the folder of folders along.
  await rmdir(runs).catch(unless('ENOTEMPTY', 'ENOENT'));
}

/** As much of `clean` as can be done without waiting. */
function cleanNow(id: string): void {
  const names = readdirSync(namespacePath('')).filter((name) => name.startsWith(`eip-${id}-`));
  const lines = names.map((name) => `netns del ${name}\n`);
  spawnSync('ip', ['-batch', '-'], { input: lines.join(''), stdio: ['pipe', 'inherit', 'inherit'] });
  rmSync(join(runs, id), { recursive: true, force: true });
}

/** One look at all processes; `ip netns pids` takes one for each namespace. */
async function processesIn(names: readonly string[]): Promise<readonly number[]> {
  const inodes = new Set<string>();
  for (const name of names) {
    const found = await stat(namespacePath(name)).catch(unless('ENOENT'));
    if (found) inodes.add(`net:[${found.ino}]`);
  }
  const found: number[] = [];
  for (const pid of (await readdir('/proc')).map(Number)) {
    // Not a process, or ourselves: threads of this process serve in the namespaces and end with it.
    if (Number.isNaN(pid) || pid === process.pid) continue;
    const at = await readlink(`/proc/${pid}/ns/net`).catch(unless('ENOENT', 'ESRCH', 'EACCES'));
    if (at !== undefined && inodes.has(at)) found.push(pid);
  }
  return found;
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if (errorCode(error) === 'ESRCH') return;
    throw new Error(`cannot end process ${pid}`, { cause: error });
  }
}

async function list(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(unless('ENOENT'))) ?? [];
}

async function age(path: string, now: number): Promise<number> {
  const found = await stat(path).catch(unless('ENOENT'));
  return found ? now - found.mtimeMs : 0;
}

/** For what others may have done already: these errors are an absence, any other goes on. */
function unless(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(errorCode(error) ?? '')) throw error;
  };
}

function errorCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}
