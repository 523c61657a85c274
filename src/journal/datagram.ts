import {
  AF_UNIX,
  lastErrno,
  libc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOL_SOCKET,
  unixAddress,
} from '../libc.ts';

/** A socket of the family and kind that journald and systemd listen on; Node itself has none. */
export interface Datagrams extends Disposable {
  /**
   * Sends one datagram. Waits for a full receiver up to the patience of {@link openDatagrams}.
   *
   * @returns undefined, or the name of the error: 'EAGAIN' after the patience
   */
  send(bytes: Uint8Array): string | undefined;
}

const MSG_NOSIGNAL = 0x4000;
const SO_SNDBUF = 7;
const SO_SNDTIMEO = 21;
const SO_SNDBUFFORCE = 32;

/** The size that sd_journal_send uses. */
const sendBufferBytes = 8 << 20;

/**
 * @param to a path, or `@name` for an abstract socket
 * @param patience ms that a send may wait
 * @throws Error when there can be no such socket
 */
export function openDatagrams(to: string, patience: number): Datagrams {
  const address = unixAddress(to);
  const fd: number = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`cannot make a unix datagram socket: ${lastErrno()}`);
  const size = Int32Array.of(sendBufferBytes);
  // Only a privileged process may exceed wmem_max; others get the smaller buffer.
  if (libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, size, 4) < 0) {
    libc.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, size, 4);
  }
  const wait = BigInt64Array.of(BigInt(Math.trunc(patience / 1000)), BigInt((patience % 1000) * 1000));
  if (libc.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, wait, wait.byteLength) < 0) {
    const why = lastErrno();
    libc.close(fd);
    throw new Error(`cannot bound the waiting of a unix datagram socket: ${why}`);
  }
  let stuck = false;
  return {
    send(bytes) {
      // After a timeout, later sends do not wait until the receiver has read: logging must not delay routing.
      const flags = MSG_NOSIGNAL | (stuck ? MSG_DONTWAIT : 0);
      const sent: number = libc.sendto(fd, bytes, bytes.length, flags, address, address.length);
      const error = sent < 0 ? lastErrno() : undefined;
      stuck = error === 'EAGAIN';
      return error;
    },
    [Symbol.dispose]() {
      libc.close(fd);
    },
  };
}
