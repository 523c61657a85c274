import { connect, type Socket } from 'node:net';
import type { Ip } from '../model/ip.ts';

/**
 * What a port has said so far.
 *
 * - unreached: no connection stands; a firewall may drop it, or the machine is away
 * - silent: the kernel of the other end has taken the connection, and no program has said anything
 * - answers: a program has said something
 * - closed: the connection was refused, or ended without a word
 */
export type PortState = 'unreached' | 'silent' | 'answers' | 'closed';

/**
 * A server of Go that speaks TLS, like the kubelet, says 400 in the clear to this (net/http, conn.serve), and does so before any key is
 * made. A server of HTTP answers it as well.
 */
const request = 'GET /healthz HTTP/1.0\r\n\r\n';
/** Errors with which a kernel or a program refuses a connection. The others say nothing of the programs. */
const refusals: ReadonlySet<string | undefined> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE']);

/**
 * Whether a program runs behind a TCP port: any bytes show it. The caller decides when to give up. A timer here would run
 * out, after this program was stopped for a while, before the answers that came meanwhile are read.
 */
export class PortQuestion {
  readonly #socket: Socket;
  #state: PortState = 'unreached';

  constructor(ip: Ip, port: number) {
    this.#socket = connect({ host: ip, port, noDelay: true });
    this.#socket
      .on('connect', () => {
        this.#state = 'silent';
        this.#socket.write(request);
      })
      .on('data', () => {
        this.#state = 'answers';
        this.close();
      })
      .on('end', () => {
        if (this.#state === 'silent') this.#state = 'closed';
        this.close();
      })
      .on('error', ({ code }: NodeJS.ErrnoException) => {
        if (this.#state !== 'answers') this.#state = refusals.has(code) ? 'closed' : 'unreached';
      });
  }

  get state(): PortState {
    return this.#state;
  }

  /** It says nothing new after that. */
  close(): void {
    this.#socket.destroy();
  }
}
