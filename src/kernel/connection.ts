import { setTimeout as sleep } from 'node:timers/promises';
import koffi from 'koffi';
import { lastErrno, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from '../libc.ts';
import { family, type Ip } from '../model/ip.ts';
import { AF } from './netlink/message.ts';
import { socketAddress } from './socket-address.ts';

/** ms to the next look at a connection of which something was heard, and which is neither made nor refused */
const nextLook = 50;

/**
 * Opens a TCP connection whose socket needs options that Node's have not, and closes it.
 *
 * @param prepare sets them on the descriptor; false: the kernel has refused one
 * @param patience ms
 * @returns undefined when it was made; else an errno: ETIMEDOUT, ECONNREFUSED
 * @throws the signal's reason
 */
export async function tryConnection(
  { to, port }: { readonly to: Ip; readonly port: number },
  prepare: (fd: number) => boolean,
  patience: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = libc.socket(family(to) === 4 ? AF.inet : AF.inet6, type, 0);
  if (fd < 0) return lastErrno();
  try {
    if (!prepare(fd)) return lastErrno();
    const other = socketAddress(to, port);
    const connect = (): string | undefined =>
      libc.connect(fd, other, other.length) < 0 ? lastErrno() : undefined;
    const end = performance.now() + patience;
    let code = connect();
    if (code === 'EINPROGRESS' && (await isHeard(fd, patience, signal))) code = connect();
    // Asked again, connect(2) says how far it has come: an ICMP error in the middle of a system call ends nothing.
    while (code === 'EINPROGRESS' || code === 'EALREADY') {
      if (performance.now() >= end) return 'ETIMEDOUT';
      await sleep(nextLook, undefined, { signal });
      code = connect();
    }
    return code === 'EISCONN' ? undefined : code;
  } finally {
    libc.close(fd);
  }
}

/** Waits until something is heard of a connection that is being made. @returns false when it is nothing for so many ms */
function isHeard(fd: number, patience: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const end = (): void => {
      poll.close();
      clearTimeout(timer);
      signal.removeEventListener('abort', aborted);
    };
    const aborted = (): void => {
      end();
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      end();
      resolve(false);
    }, patience);
    // libuv uses epoll: a question that nobody answers costs nothing while it waits.
    const poll = koffi.node.poll(fd, { writable: true }, () => {
      end();
      // koffi calls back outside of Node's callback scope: promises would only continue with another event.
      setImmediate(resolve, true);
    });
    signal.addEventListener('abort', aborted);
  });
}
