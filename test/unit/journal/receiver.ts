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
} from '../../../src/libc.ts';

/** The other end: what journald and systemd are to us. Its queue is as long as net.unix.max_dgram_qlen. */
export class Receiver implements Disposable {
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

  /** All that has come. */
  texts(): readonly string[] {
    const all: string[] = [];
    for (let one = this.take(); one; one = this.take()) all.push(one.toString());
    return all;
  }

  [Symbol.dispose](): void {
    libc.close(this.#fd);
    rmSync(this.#folder, { recursive: true });
  }
}
