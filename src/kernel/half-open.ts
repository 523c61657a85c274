import { libc, SOL_SOCKET } from '../libc.ts';
import type { Ip } from '../model/ip.ts';
import { tryConnection } from './connection.ts';

const SO_LINGER = 13;
const SO_MARK = 36;
const IPPROTO_TCP = 6;
const TCP_QUICKACK = 12;
/** struct linger: on, and nothing lingers: close(2) resets the connection. */
const reset = Buffer.from(new Int32Array([1, 0]).buffer);
const off = Buffer.from(new Int32Array([0]).buffer);

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
 * @throws the signal's reason
 */
export async function askHalfOpen(
  { to, port, mark }: HalfOpenEnds,
  patience: number,
  signal: AbortSignal,
): Promise<string | undefined> {
  const value = Buffer.from(new Uint32Array([mark]).buffer);
  const prepare = (fd: number): boolean =>
    libc.setsockopt(fd, SOL_SOCKET, SO_MARK, value, value.length) === 0 &&
    libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, reset, reset.length) === 0 &&
    libc.setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, off, off.length) === 0;
  return await tryConnection({ to, port }, prepare, patience, signal);
}
