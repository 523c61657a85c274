import { chmod, rm } from 'node:fs/promises';
import {
  createServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
  type ServerResponse,
} from 'node:http';
import { dirname, join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { RoleName } from '../config/config.ts';
import { makeFolder } from '../folder.ts';
import { DaemonError } from './daemon-error.ts';
import { close } from './lock.ts';

/** The answer to a question, as JSON; a long one comes in portions. */
export type Question = (query: URLSearchParams) => Promise<Answer> | Answer;
export type Answer = string | Iterable<string>;

/** Does something, and answers as JSON how it went. A {@link DaemonError} says why it could not be done. */
export type Command = (query: URLSearchParams) => Promise<string>;

/** A whole answer that is no JSON. */
export interface Reply {
  readonly status: number;
  /** The content type. */
  readonly type: string;
  readonly body: string;
}

/** The answers of a running daemon. */
export interface Answers {
  /** By path, JSON each. `/synced` has the first fields of `/status` alone: it is cheap enough to be polled. */
  readonly questions: ReadonlyMap<string, Question>;
  /** By path: what monitoring asks for. */
  readonly replies: ReadonlyMap<string, () => Promise<Reply>>;
  /** By path, beside `/release`. */
  readonly commands: ReadonlyMap<string, Command>;
  /**
   * Lets held deletes go on.
   *
   * @param eips only those of these EIPs; 'all': whatever is held as too many at once
   * @returns how many are released
   * @throws DaemonError when one of the EIPs is not held; none is released then
   */
  release(eips: readonly string[] | 'all'): number;
}

/** Where the daemon answers questions: its user, root, and the members of its group may ask. */
export function socketPath(runtimeDirectory: string, role: RoleName): string {
  return join(runtimeDirectory, `${role}.sock`);
}

/** Where the daemon takes commands: from its user and root alone. */
export function controlPath(runtimeDirectory: string, role: RoleName): string {
  return join(runtimeDirectory, `${role}-control.sock`);
}

/**
 * Answers questions (`GET`) and takes commands (`POST`) over HTTP, on a unix socket each:
 * `curl --unix-socket /run/eiproute/gateway.sock http://localhost/status`. The rights are those of the two files: the
 * kernel keeps them, and no line of ours has to ask who is at the other end.
 *
 * @throws DaemonError when a socket cannot be made
 */
export async function serve(
  runtimeDirectory: string,
  role: RoleName,
  answers: Answers,
): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const known = [...answers.questions.keys(), ...answers.replies.keys()].join(', GET ');
  const asked = await listenOn(socketPath(runtimeDirectory, role), 0o660, (request, response) => {
    const { pathname, searchParams } = targetOf(request);
    const isGet = request.method === 'GET';
    const question = isGet ? answers.questions.get(pathname) : undefined;
    const reply = isGet ? answers.replies.get(pathname) : undefined;
    if (question !== undefined) void answerTo(question, searchParams, response);
    else if (reply !== undefined) void replyWith(reply, response);
    else nothingAt(`${request.method} ${request.url}`, `GET ${known}`, response);
  });
  stack.use(asked);
  const commands = new Map(answers.commands).set('/release', async (query) => {
    const eips = query.getAll('eip');
    return JSON.stringify({ version: 1, released: answers.release(eips.length === 0 ? 'all' : eips) });
  });
  const taken = [...commands.keys()].join(', POST ');
  const control = await listenOn(controlPath(runtimeDirectory, role), 0o600, (request, response) => {
    const { pathname, searchParams } = targetOf(request);
    const command = request.method === 'POST' ? commands.get(pathname) : undefined;
    if (command !== undefined) void carryOut(command, searchParams, response);
    else nothingAt(`${request.method} ${request.url}`, `POST ${taken}`, response);
  });
  stack.use(control);
  return stack.move();
}

/** What a request asks for. A target that no URL can have, as `//`, is a path at which nothing is. */
export function targetOf({ url = '/' }: IncomingMessage): Pick<URL, 'pathname' | 'searchParams'> {
  return URL.parse(url, 'http://localhost') ?? { pathname: url, searchParams: new URLSearchParams() };
}

export function nothingAt(words: string, known: string, response: ServerResponse): void {
  response.statusCode = 404;
  response.end(`nothing at ${words}; there is ${known}\n`);
}

async function listenOn(path: string, mode: number, answer: RequestListener): Promise<AsyncDisposable> {
  const server = createServer(answer);
  try {
    makeFolder(dirname(path));
    // This process holds the lock, so a socket that is there belongs to a dead process.
    await rm(path, { force: true });
    await listen(server, path);
    await chmod(path, mode);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new DaemonError(`cannot make the socket ${path}: ${cause.message}; check runtimeDirectory`, {
      cause,
    });
  }
  return {
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await close(server);
    },
  };
}

/** Writes an answer; the event loop goes on between two portions, and the next one is made when this one is read. */
async function answerTo(question: Question, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const answer = await question(query);
  response.setHeader('content-type', 'application/json');
  for (const portion of typeof answer === 'string' ? [answer] : answer) {
    if (response.destroyed) return;
    if (response.write(portion)) await turn();
    else await drained(response);
  }
  response.end('\n');
}

/** Resolves when more can be written, or nobody reads any more. */
function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

async function carryOut(command: Command, query: URLSearchParams, response: ServerResponse): Promise<void> {
  try {
    const answer = await command(query);
    response.setHeader('content-type', 'application/json');
    response.end(`${answer}\n`);
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    response.statusCode = 409;
    response.end(`${error.message}\n`);
  }
}

export async function replyWith(reply: () => Promise<Reply>, response: ServerResponse): Promise<void> {
  const { status, type, body } = await reply();
  response.writeHead(status, { 'content-type': type });
  response.end(body);
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
