import { setTimeout as sleep } from 'node:timers/promises';
import { lastErrno, libc, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET } from '../libc.ts';
import { family, type Ip } from '../model/ip.ts';
import { AF } from './netlink/message.ts';
import { socketAddress } from './socket-address.ts';

const SO_LINGER = 13;
const SO_MARK = 36;
const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;
/** struct linger: on, and nothing lingers: close(2) resets the connection. */
const reset = Buffer.from(new Int32Array([1, 0]).buffer);
const off = Buffer.from(new Int32Array([0]).buffer);
/**
 * ms between two looks at a connection that is being made: at first, and later, when it is probably silence. The
 * acknowledgement of the SYN-ACK waits 200 ms.
 */
const firstLook = 10;
const laterLook = 50;

export interface HalfOpenEnds {
  readonly to: Ip;
  readonly port: number;
  /** Of its packets; needs CAP_NET_ADMIN. */
  readonly mark: number;
}

/**
 * Asks whether somebody listens, by SYN, SYN-ACK and RST. The SYN-ACK is not acknowledged at once (TCP_QUICKACK off), and the
 * reset comes before it is: for the other end the connection was never made, and its accept(2) hears nothing of it.
 * When this program is held up for 200 ms in between, it gets a connection that is reset.
 *
 * @param patience ms
 * @returns undefined: somebody listens; else an errno: ETIMEDOUT, ECONNREFUSED
 * @throws when the signal is aborted
 */
export async function askHalfOpen(
  { to, port, mark }: HalfOpenEnds,
  patience: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = libc.socket(family(to) === 4 ? AF.inet : AF.inet6, type, 0);
  if (fd < 0) return lastErrno();
  try {
    const value = Buffer.from(new Uint32Array([mark]).buffer);
    if (libc.setsockopt(fd, SOL_SOCKET, SO_MARK, value, value.length) < 0) return lastErrno();
    if (libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, reset, reset.length) < 0) return lastErrno();
    if (libc.setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, off, off.length) < 0) return lastErrno();
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
