import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import koffi from 'koffi';

const libc = koffi.load(null);
const native = {
  socket: libc.func('int socket(int, int, int)'),
  bind: libc.func('int bind(int, const void *, uint32_t)'),
  recv: libc.func('intptr_t recv(int, void *, size_t, int)'),
  close: libc.func('int close(int)'),
};
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/** The other end: what journald and systemd are to us. Its queue is as long as net.unix.max_dgram_qlen. */
export class Receiver implements Disposable {
  readonly path: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'eiproute-'));
  readonly #fd: number = native.socket(AF_UNIX, SOCK_DGRAM, 0);

  constructor() {
    this.path = join(this.#folder, 'socket');
    const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(`${this.path}\0`)]);
    if (native.bind(this.#fd, address, address.length) < 0) throw new Error(`bind: errno ${koffi.errno()}`);
  }

  /** The next datagram; undefined when there is none. */
  take(): Buffer | undefined {
    const into = Buffer.alloc(1 << 20);
    const length: number = native.recv(this.#fd, into, into.length, MSG_DONTWAIT);
    return length < 0 ? undefined : into.subarray(0, length);
  }

  /** All that has come. */
  texts(): readonly string[] {
    const all: string[] = [];
    for (let one = this.take(); one; one = this.take()) all.push(one.toString());
    return all;
  }

  [Symbol.dispose](): void {
    native.close(this.#fd);
    rmSync(this.#folder, { recursive: true });
  }
}
