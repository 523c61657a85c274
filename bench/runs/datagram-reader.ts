import {
  AF_UNIX,
  lastErrno,
  libc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  unixAddress,
} from '../../src/libc.ts';

/** A unix datagram socket whose datagrams are thrown away: the other end of NOTIFY_SOCKET. */
export class DatagramReader implements Disposable {
  readonly path: string;
  readonly #fd: number;
  readonly #into = Buffer.alloc(1 << 16);

  constructor(path: string) {
    this.path = path;
    this.#fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    const address = unixAddress(path);
    if (this.#fd < 0 || libc.bind(this.#fd, address, address.length) < 0)
      throw new Error(`cannot listen on ${path}: ${lastErrno()}`);
  }

  /** Reads what has come. */
  drain(): void {
    while (libc.recv(this.#fd, this.#into, this.#into.length, MSG_DONTWAIT) >= 0);
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
  }
}
