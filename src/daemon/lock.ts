import { closeSync, constants, fchmodSync, fchownSync, openSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { makeFolder } from '../folder.ts';
import {
  AF_UNIX,
  lastErrno,
  libc,
  SOCK_CLOEXEC,
  SOCK_NONBLOCK,
  SOCK_STREAM,
  SOL_SOCKET,
  unixAddress,
} from '../libc.ts';
import { DaemonError } from './daemon-error.ts';

const LOCK_EX = 2;
const LOCK_NB = 4;
const SO_PEERCRED = 17;

/**
 * Excludes a second writer with the same protocol number by two locks. The kernel releases both when the process ends.
 *
 * - A lock on a file in the runtime directory, which only root and the daemon's own user may open.
 * - The name of an abstract socket: one per network namespace, so that it also excludes a daemon with another runtime
 *   directory. Any local user can take such a name. When its owner is neither root nor the daemon's user, the name is
 *   ignored and the file alone decides.
 *
 * @throws DaemonError when another one runs, or the file cannot be made
 */
export async function lock(protocol: number, runtimeDirectory: string): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const path = join(runtimeDirectory, `protocol-${protocol}.lock`);
  const fd = stack.adopt(openLockFile(path, runtimeDirectory), closeSync);
  if (libc.flock(fd, LOCK_EX | LOCK_NB) < 0) {
    const code = lastErrno();
    throw code === 'EAGAIN' ? taken(protocol) : new DaemonError(`cannot lock ${path}: ${code}`);
  }
  const server = await takeName(nameOf(protocol), trusted(runtimeDirectory));
  if (server === 'taken') throw taken(protocol);
  if (server !== 'held by a stranger') stack.defer(() => close(server));
  return stack.move();
}

function taken(protocol: number): DaemonError {
  const pid = listener(nameOf(protocol))?.pid;
  // A process of another PID namespace has no number here.
  const who = pid
    ? `it is process ${pid} (systemctl status ${pid} shows its unit)`
    : 'see "ss -xlp | grep eiproute"';
  return new DaemonError(
    `another eiproute already manages routes of protocol ${protocol} in this network namespace; stop it first: ${who}`,
  );
}

function nameOf(protocol: number): string {
  return `eiproute-protocol-${protocol}`;
}

/** Mode 0600: every process that can open the file can lock it. The file stays: a lock on a deleted file is useless. */
function openLockFile(path: string, folder: string): number {
  try {
    makeFolder(folder);
    const fd = openSync(path, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    // root may create it in a purge; the daemon's user must be able to open it afterwards.
    if (process.geteuid?.() === 0) {
      const { uid, gid } = statSync(folder);
      fchownSync(fd, uid, gid);
    }
    fchmodSync(fd, 0o600);
    return fd;
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new DaemonError(`cannot make the lock ${path}: ${cause.message}; check runtimeDirectory`, {
      cause,
    });
  }
}

/** Users whose socket counts: root, this process, and the daemon while root runs a command. */
function trusted(runtimeDirectory: string): ReadonlySet<number> {
  return new Set([0, process.geteuid?.() ?? 0, statSync(runtimeDirectory).uid]);
}

async function takeName(
  name: string,
  users: ReadonlySet<number>,
): Promise<Server | 'taken' | 'held by a stranger'> {
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: `\0${name}` }, resolve);
    });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')) throw error;
    const user = listener(name)?.user;
    return user !== undefined && users.has(user) ? 'taken' : 'held by a stranger';
  }
  // The socket must not keep the process alive.
  server.unref();
  return server;
}

/**
 * The process that listens on an abstract socket, and its user: the credentials at the time of its listen(2).
 *
 * @returns undefined when no process listens: a name that is only bound, or whose queue is full, is no daemon of ours
 */
function listener(name: string): { readonly pid: number; readonly user: number } | undefined {
  const fd: number = libc.socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new DaemonError(`cannot make a unix socket: ${lastErrno()}`);
  try {
    const address = unixAddress(`@${name}`);
    if (libc.connect(fd, address, address.length) < 0) return undefined;
    const credentials = new Int32Array(3);
    const length = Uint32Array.of(credentials.byteLength);
    if (libc.getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, length) < 0) return undefined;
    const [pid = 0, user = 0] = credentials;
    return { pid, user };
  } finally {
    libc.close(fd);
  }
}

export function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
  });
}
