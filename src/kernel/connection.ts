import { setTimeout as sleep } from 'node:timers/promises';
import { lastErrno, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM } from '../libc.ts';
import { family, type Ip } from '../model/ip.ts';
import { AF } from './netlink/message.ts';
import { socketAddress } from './socket-address.ts';

/**
 * ms between two looks at a connection that is being made: at first, and later, when it is probably silence. Both are
 * less than the 200 ms for which an acknowledgement waits; see half-open.ts.
 */
const firstLook = 10;
const laterLook = 50;

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
    const end = performance.now() + patience;
    let pause = firstLook;
    // Asked again, connect(2) says how far it has come.
    while (libc.connect(fd, other, other.length) < 0) {
      const code = lastErrno();
      if (code === 'EISCONN') return undefined;
      if (code !== 'EINPROGRESS' && code !== 'EALREADY') return code;
      if (performance.now() > end) return 'ETIMEDOUT';
      await sleep(pause, undefined, { signal });
      pause = Math.min(laterLook, pause * 1.5);
    }
    return undefined;
  } finally {
    libc.close(fd);
  }
}
