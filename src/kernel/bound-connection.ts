import { libc, SOL_SOCKET } from '../libc.ts';
import type { Ip } from '../model/ip.ts';
import { tryConnection } from './connection.ts';
import { socketAddress } from './socket-address.ts';

const SO_BINDTODEVICE = 25;

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
  const name = Buffer.from(`${device}\0`);
  const own = socketAddress(from, 0);
  const prepare = (fd: number): boolean =>
    libc.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, name.length) === 0 &&
    libc.bind(fd, own, own.length) === 0;
  return await tryConnection({ to, port }, prepare, patience, signal);
}
