import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AF_UNIX,
  lastErrno,
  libc,
  MSG_DONTWAIT,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  unixAddress,
} from '../../src/libc.ts';

/**
 * A unix datagram socket in the place of journald or systemd. Its queue holds net.unix.max_dgram_qlen datagrams; a
 * sender waits, or fails, when it is full.
 */
export class DatagramReceiver implements Disposable {
  readonly path: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'eiproute-'));
  readonly #fd = libc.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  readonly #into = Buffer.alloc(1 << 20);

  constructor() {
    this.path = join(this.#folder, 'socket');
    const address = unixAddress(this.path);
    if (this.#fd < 0 || libc.bind(this.#fd, address, address.length) < 0)
      throw new Error(`cannot listen on ${this.path}: ${lastErrno()}`);
  }

  /** The next datagram; undefined when there is none. */
  take(): Buffer | undefined {
    const length: number = libc.recv(this.#fd, this.#into, this.#into.length, MSG_DONTWAIT);
    return length < 0 ? undefined : Buffer.from(this.#into.subarray(0, length));
  }

  /** Every datagram in the queue. */
  texts(): readonly string[] {
    const all: string[] = [];
    for (let one = this.take(); one; one = this.take()) all.push(one.toString());
    return all;
  }

  /** Empties the queue. */
  drain(): void {
    while (libc.recv(this.#fd, this.#into, this.#into.length, MSG_DONTWAIT) >= 0);
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
    rmSync(this.#folder, { recursive: true });
  }
}
