import { constants } from 'node:os';
import koffi from 'koffi';

/** A socket of the family and kind that journald and systemd listen on; Node itself has none. */
export interface Datagrams extends Disposable {
  /**
   * Sends one datagram. Waits for a full receiver, but no longer than the patience given at the start.
   *
   * @returns undefined, or the name of the error: 'EAGAIN' when the patience was over
   */
  send(bytes: Uint8Array): string | undefined;
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const SO_SNDTIMEO = 21;
const SO_SNDBUFFORCE = 32;

/** As sd_journal_send has it. */
const sendBufferBytes = 8 << 20;
const longestPath = 107;

const libc = koffi.load(null);
const native = {
  socket: libc.func('int socket(int, int, int)'),
  setsockopt: libc.func('int setsockopt(int, int, int, const void *, uint32_t)'),
  sendto: libc.func('intptr_t sendto(int, const void *, size_t, int, const void *, uint32_t)'),
  close: libc.func('int close(int)'),
};

/**
 * @param to a path, or `@name` for an abstract socket
 * @param patience ms that a send may wait
 * @throws Error when there can be no such socket
 */
export function openDatagrams(to: string, patience: number): Datagrams {
  const address = addressOf(to);
  const fd: number = native.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw new Error(`cannot make a unix datagram socket: ${lastError()}`);
  const size = Int32Array.of(sendBufferBytes);
  // Only a privileged process passes wmem_max; for others the smaller buffer has to do.
  if (native.setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, size, 4) < 0) {
    native.setsockopt(fd, SOL_SOCKET, SO_SNDBUF, size, 4);
  }
  const wait = BigInt64Array.of(BigInt(Math.trunc(patience / 1000)), BigInt((patience % 1000) * 1000));
  if (native.setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, wait, wait.byteLength) < 0) {
    const why = lastError();
    native.close(fd);
    throw new Error(`cannot bound the waiting of a unix datagram socket: ${why}`);
  }
  let stuck = false;
  return {
    send(bytes) {
      // Whoever did not read in time is not waited for again until it has: routing must not suffer for the log.
      const flags = MSG_NOSIGNAL | (stuck ? MSG_DONTWAIT : 0);
      const sent: number = native.sendto(fd, bytes, bytes.length, flags, address, address.length);
      const error = sent < 0 ? lastError() : undefined;
      stuck = error === 'EAGAIN';
      return error;
    },
    [Symbol.dispose]() {
      native.close(fd);
    },
  };
}

/** struct sockaddr_un, as long as it is. */
function addressOf(to: string): Uint8Array {
  const abstract = to.startsWith('@');
  const path = Buffer.from(abstract ? `\0${to.slice(1)}` : `${to}\0`);
  if (!(abstract || to.startsWith('/')) || path.length > longestPath + 1)
    throw new Error(`"${to}" is no address of a unix socket`);
  const address = Buffer.alloc(2 + path.length);
  new Uint16Array(address.buffer, address.byteOffset, 1)[0] = AF_UNIX;
  path.copy(address, 2);
  return address;
}

const errnoNames = new Map(Object.entries(constants.errno).map(([name, number]) => [number, name]));

function lastError(): string {
  const errno = koffi.errno();
  // EWOULDBLOCK is the same number.
  return errno === constants.errno.EAGAIN ? 'EAGAIN' : (errnoNames.get(errno) ?? `errno ${errno}`);
}
