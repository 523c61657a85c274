import { connect } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { now } from '../process/clock.ts';
import { enter } from '../process/namespace.ts';

export interface Errand {
  /** EIPs; taken in turn. */
  readonly to: readonly string[];
  readonly port: number;
  /** Source addresses per family; taken in turn. */
  readonly from: { readonly v4: readonly string[]; readonly v6: readonly string[] };
  /** ms between two requests. */
  readonly every: number;
  /** ms after which a request is lost. */
  readonly patience: number;
}

export type Order =
  | { readonly verb: 'start'; readonly number: number; readonly errand: Errand }
  | { readonly verb: 'stop'; readonly number: number };

/** One request, told when it is over. Times in ms since the epoch. */
export interface Answer {
  readonly sent: number;
  readonly done: number;
  readonly to: string;
  /** Who answered; undefined: nobody, see `error`. */
  readonly pod: string | undefined;
  /** The client's address as the pod saw it. */
  readonly seen: string | undefined;
  /** 'ECONNREFUSED', 'timeout', 'torn', … */
  readonly error: string | undefined;
}

export type Report =
  | { readonly kind: 'answer'; readonly number: number; readonly answer: Answer }
  | { readonly kind: 'stopped'; readonly number: number };

interface Load {
  readonly timer: NodeJS.Timeout;
  open: number;
  stopping: boolean;
}

const loads = new Map<number, Load>();
enter(String(workerData));

parentPort?.on('message', (order: Order) => {
  if (order.verb === 'start') start(order.number, order.errand);
  else stop(order.number);
});

function start(number: number, errand: Errand): void {
  let turn = 0;
  const next = (): void => {
    const to = errand.to[turn % errand.to.length] ?? '';
    const sources = to.includes(':') ? errand.from.v6 : errand.from.v4;
    const from = sources[Math.floor(turn / errand.to.length) % sources.length] ?? '';
    turn += 1;
    load.open += 1;
    ask(from, to, errand, (answer) => {
      load.open -= 1;
      post({ kind: 'answer', number, answer });
      ended(number, load);
    });
  };
  const load: Load = { timer: setInterval(next, errand.every), open: 0, stopping: false };
  loads.set(number, load);
  next();
}

function stop(number: number): void {
  const load = loads.get(number);
  if (!load) return;
  clearInterval(load.timer);
  load.stopping = true;
  ended(number, load);
}

function ended(number: number, load: Load): void {
  if (!load.stopping || load.open > 0) return;
  loads.delete(number);
  post({ kind: 'stopped', number });
}

/** One request over a connection of its own. */
function ask(from: string, to: string, { port, patience }: Errand, tell: (answer: Answer) => void): void {
  const sent = now();
  let text = '';
  let error: string | undefined;
  const socket = connect({ host: to, port, localAddress: from });
  // A bound on the whole, unlike socket.setTimeout, which only sees silence.
  const bound = setTimeout(() => {
    // On a starved machine the answer may be here and not read yet: timers come before sockets in Node's loop.
    setImmediate(() => {
      if (socket.destroyed || socket.readableEnded) return;
      error = 'timeout';
      socket.destroy();
    });
  }, patience);
  socket.setEncoding('utf8');
  socket.on('data', (part: string) => {
    text += part;
  });
  socket.on('error', (cause: NodeJS.ErrnoException) => {
    error ??= cause.code ?? cause.message;
  });
  socket.on('close', () => {
    clearTimeout(bound);
    const said = /^HTTP\/1\.1 200 .*\r\n\r\n(\S+) (\S+)\n$/s.exec(text);
    const pod = error === undefined ? said?.[1] : undefined;
    tell({
      sent,
      done: now(),
      to,
      pod,
      seen: pod === undefined ? undefined : said?.[2],
      error: pod === undefined ? (error ?? 'torn') : undefined,
    });
  });
  socket.write(`GET / HTTP/1.1\r\nhost: ${to.includes(':') ? `[${to}]` : to}\r\nconnection: close\r\n\r\n`);
}

function post(report: Report): void {
  parentPort?.postMessage(report);
}
