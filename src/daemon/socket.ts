import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { RoleName } from '../config/config.ts';
import { DaemonError } from './daemon-error.ts';
import { close } from './lock.ts';

/** The answer to a question, as JSON; a long one comes in portions. */
export type Question = (query: URLSearchParams) => Promise<Answer> | Answer;
export type Answer = string | Iterable<string>;

/** Does something, and answers as JSON how it went. A {@link DaemonError} says why it could not be done. */
export type Order = () => Promise<string>;

/** The answers of a running daemon. */
export interface Answers {
  /** By path, JSON each. `/synced` has the first fields of `/status` alone: it is cheap enough to be polled. */
  readonly questions: ReadonlyMap<string, Question>;
  /** What can be asked for with POST beside `/release`, by path. */
  readonly orders: ReadonlyMap<string, Order>;
  /** Lets held deletes go on. @returns how many are held as too many at once */
  release(): number;
}

export function socketPath(runtimeDirectory: string, role: RoleName): string {
  return join(runtimeDirectory, `${role}.sock`);
}

/**
 * Answers the questions (`GET`) and carries out the orders (`POST`) over HTTP on a unix socket:
 * `curl --unix-socket /run/eiproute/gateway.sock http://localhost/status`.
 *
 * @throws DaemonError when the socket cannot be made
 */
export async function serve(
  runtimeDirectory: string,
  role: RoleName,
  answers: Answers,
): Promise<AsyncDisposable> {
  const path = socketPath(runtimeDirectory, role);
  const server = createServer((request, response) => {
    const asked = `${request.method} ${request.url}`;
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    const question = request.method === 'GET' ? answers.questions.get(pathname) : undefined;
    const order = request.method === 'POST' ? answers.orders.get(pathname) : undefined;
    if (question !== undefined) void answerTo(question, searchParams, response);
    else if (order !== undefined) void carryOut(order, response);
    else if (asked === 'POST /release') {
      response.setHeader('content-type', 'application/json');
      response.end(`${JSON.stringify({ version: 1, released: answers.release() })}\n`);
    } else {
      response.statusCode = 404;
      response.end(
        `nothing at ${asked}; there is GET ${[...answers.questions.keys()].join(', GET ')}, POST ${['/release', ...answers.orders.keys()].join(', POST ')}\n`,
      );
    }
  });
  try {
    await mkdir(runtimeDirectory, { recursive: true });
    // This process holds the lock, so a socket that is there belongs to a dead process.
    await rm(path, { force: true });
    await listen(server, path);
    // Owner only, whatever the group of the folder: the socket also releases held deletes.
    await chmod(path, 0o600);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new DaemonError(`cannot make the status socket ${path}: ${cause.message}; check runtimeDirectory`, {
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

/** Writes an answer; the event loop goes on between two portions. */
async function answerTo(question: Question, query: URLSearchParams, response: ServerResponse): Promise<void> {
  const answer = await question(query);
  response.setHeader('content-type', 'application/json');
  for (const portion of typeof answer === 'string' ? [answer] : answer) {
    if (response.destroyed) return;
    response.write(portion);
    await turn();
  }
  response.end('\n');
}

async function carryOut(order: Order, response: ServerResponse): Promise<void> {
  try {
    const answer = await order();
    response.setHeader('content-type', 'application/json');
    response.end(`${answer}\n`);
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    response.statusCode = 409;
    response.end(`${error.message}\n`);
  }
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
