import { setTimeout as sleep } from 'node:timers/promises';
import { lastErrno, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } from '../libc.ts';
import { family, type Ip } from '../model/ip.ts';
import { AF } from './netlink/message.ts';
import { socketAddress } from './socket-address.ts';

const SO_BINDTODEVICE = 25;
/** ms between two looks at a connection that is being made */
const lookEvery = 10;

/** One end of a connection, and the interface by which its packets leave and come in. */
export interface BoundEnds {
  readonly to: Ip;
  readonly port: number;
  readonly from: Ip;
  readonly device: string;
}

/**
 * Opens a TCP connection and closes it. Replies that come in by another interface than they should do not count, which the
 * sockets of Node cannot ask for.
 *
 * @param patience ms
 * @returns undefined when it was made; else an errno: ETIMEDOUT, ECONNREFUSED
 * @throws the signal's reason
 */
export async function connectBound(
  { to, port, from, device }: BoundEnds,
  patience: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const fd = libc.socket(
    family(to) === 4 ? AF.inet : AF.inet6,
    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
    0,
  );
  if (fd < 0) return lastErrno();
  try {
    const name = Buffer.from(`${device}\0`);
    const own = socketAddress(from, 0);
    const other = socketAddress(to, port);
    if (libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length) < 0) return lastErrno();
    if (libc.bind(fd, own, own.length) < 0) return lastErrno();
    const end = performance.now() + patience;
    // Asked again, connect(2) says how far it has come.
    while (libc.connect(fd, other, other.length) < 0) {
      const code = lastErrno();
      if (code === 'EISCONN') return undefined;
      if (code !== 'EINPROGRESS' && code !== 'EALREADY') return code;
      if (performance.now() > end) return 'ETIMEDOUT';
      await sleep(lookEvery, undefined, { signal });
    }
    return undefined;
  } finally {
    libc.close(fd);
  }
}
