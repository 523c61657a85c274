import { connect, type Socket } from 'node:net';
import type { Ip } from '../model/ip.ts';
import type { Health } from './health-port.ts';

/** Characters of an answer; kube-proxy's has some three hundred. */
const longest = 65_536;

/** What one read of a connection brings; all of them share it, for it is taken out of it at once. */
const received = Buffer.allocUnsafeSlow(4096);

interface Answer {
  /** undefined: none came. */
  readonly status: number | undefined;
  /** Why none came. */
  readonly why: string;
}

/**
 * Asks `/healthz` of many nodes again and again, over a connection to each that stays open. A connection for each question
 * costs 0.4 ms of processor time, most of it for the objects around it; kube-proxy closes none by itself.
 */
export class HealthConnections {
  readonly #patience: number;
  readonly #open = new Map<Ip, Connection>();
  readonly #asked = new Set<Connection>();
  /** The questions under way. */
  readonly #asking = new Map<Ip, { readonly port: number; readonly health: Promise<Health> }>();
  /** For the oldest question. A timer for each, that is mostly taken back, costs more. */
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param patience ms; who takes longer is asked again, over another connection */
  constructor(patience = 1000) {
    this.#patience = patience;
  }

  /** One question to an address at a time: two Nodes may have the same one, and share the answer. */
  ask(ip: Ip, port: number): Promise<Health> {
    const before = this.#asking.get(ip);
    if (before?.port === port) return before.health;
    const asking = {
      port,
      health: this.#question(ip, port).finally(() => {
        if (this.#asking.get(ip) === asking) this.#asking.delete(ip);
      }),
    };
    this.#asking.set(ip, asking);
    return asking.health;
  }

  async #question(ip: Ip, port: number): Promise<Health> {
    let known = this.#open.get(ip);
    if (known?.port !== port) {
      known?.close();
      known = undefined;
    }
    let answer = known && (await this.#ask(known));
    // What was kept may have been closed by the other end just now: that says nothing of the node.
    if (answer?.status === undefined && !this.#isClosed) answer = await this.#ask(this.#connect(ip, port));
    if (answer?.status === undefined) return { kind: 'no answer', why: answer?.why ?? 'nobody is asked' };
    return answer.status === 200
      ? { kind: 'serves' }
      : { kind: 'not yet', why: `it answers ${answer.status}` };
  }

  /** Closes the connections to all others. */
  keep(ips: ReadonlySet<Ip>): void {
    for (const [ip, connection] of this.#open) if (!ips.has(ip)) connection.close();
  }

  /** Nobody is asked after that. */
  close(): void {
    this.#isClosed = true;
    this.keep(new Set());
    clearTimeout(this.#timer);
  }

  #ask(connection: Connection): Promise<Answer> {
    this.#asked.add(connection);
    this.#timer ??= this.#wait(this.#patience);
    return connection.ask();
  }

  #wait(ms: number): NodeJS.Timeout {
    return setTimeout(() => {
      this.#timer = undefined;
      this.#closeLate();
    }, ms).unref();
  }

  #closeLate(): void {
    const now = performance.now();
    for (const connection of this.#asked) {
      const left = connection.askedAt + this.#patience - now;
      // They are in the order of time.
      if (left > 0) {
        this.#timer = this.#wait(left);
        return;
      }
      this.#asked.delete(connection);
      connection.giveUp(`no answer within ${this.#patience} ms`);
    }
  }

  #connect(ip: Ip, port: number): Connection {
    const connection = new Connection(ip, port, {
      answered: () => this.#asked.delete(connection),
      closed: () => {
        if (this.#open.get(ip) === connection) this.#open.delete(ip);
      },
    });
    this.#open.set(ip, connection);
    return connection;
  }
}

class Connection {
  readonly port: number;
  readonly #request: string;
  readonly #socket: Socket;
  readonly #answered: () => void;
  #asked: PromiseWithResolvers<Answer> | undefined;
  /** ms of the monotonic clock */
  #askedAt = 0;
  #text = '';
  #why = 'the connection was closed';

  /** @param told 'answered': a question has come to its end */
  constructor(ip: Ip, port: number, told: { readonly answered: () => void; readonly closed: () => void }) {
    this.port = port;
    this.#answered = told.answered;
    this.#request = `GET /healthz HTTP/1.1\r\nHost: ${ip.includes(':') ? `[${ip}]` : ip}:${port}\r\n\r\n`;
    const callback = (length: number): boolean => {
      this.#read(received.toString('latin1', 0, length));
      return true;
    };
    // Read without the stream in between, which takes half of the work of an answer.
    this.#socket = connect({ host: ip, port, noDelay: true, onread: { buffer: received, callback } })
      .on('error', (error: NodeJS.ErrnoException) => {
        this.#why = error.code ?? error.message;
      })
      .on('close', () => {
        told.closed();
        this.#answer(undefined);
      });
  }

  /** When it was asked last, in ms of the monotonic clock. */
  get askedAt(): number {
    return this.#askedAt;
  }

  ask(): Promise<Answer> {
    const asked = Promise.withResolvers<Answer>();
    this.#asked = asked;
    this.#askedAt = performance.now();
    this.#text = '';
    this.#socket.write(this.#request, 'latin1');
    return asked.promise;
  }

  giveUp(why: string): void {
    this.#why = why;
    this.close();
  }

  close(): void {
    this.#socket.destroy();
  }

  #answer(status: number | undefined): void {
    const asked = this.#asked;
    this.#asked = undefined;
    this.#answered();
    asked?.resolve({ status, why: this.#why });
  }

  /** The connection is used again where the end of the answer is known, and closed otherwise. */
  #read(text: string): void {
    this.#text += text;
    const end = this.#text.indexOf('\r\n\r\n');
    if (end < 0 && this.#text.length < longest) return;
    const head = this.#text.slice(0, end + 2);
    const [, minor, status] = /^HTTP\/1\.([01]) (\d{3})/.exec(head) ?? [];
    const [, length] = /\r\ncontent-length: *(\d+) *\r\n/i.exec(head) ?? [];
    const isLast = minor !== '1' || length === undefined || /\r\nconnection: *close *\r\n/i.test(head);
    if (!isLast && this.#text.length < end + 4 + Number(length) && this.#text.length < longest) return;
    const isWhole = !isLast && this.#text.length === end + 4 + Number(length);
    if (status === undefined) this.#why = 'what it says is no HTTP';
    if (!isWhole || this.#asked === undefined) this.close();
    if (status !== undefined) this.#answer(Number(status));
  }
}
