import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { RoleName } from '../config/config.ts';
import { DaemonError } from './daemon-error.ts';
import { close } from './lock.ts';

/** The answers of a running daemon. */
export interface Answers {
  /** By path, JSON each. `/synced` has the first fields of `/status` alone: it is cheap enough to be polled. */
  readonly questions: ReadonlyMap<string, () => string>;
  /** Lets held deletes go on. */
  release(): void;
}

export function socketPath(runtimeDirectory: string, role: RoleName): string {
  return join(runtimeDirectory, `${role}.sock`);
}

/**
 * Answers the questions (`GET`) and `POST /release` over HTTP on a unix socket:
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
    const answer = request.method === 'GET' ? answers.questions.get(request.url ?? '') : undefined;
    if (answer !== undefined) {
      response.setHeader('content-type', 'application/json');
      response.end(`${answer()}\n`);
    } else if (asked === 'POST /release') {
      answers.release();
      response.statusCode = 204;
      response.end();
    } else {
      response.statusCode = 404;
      response.end(
        `nothing at ${asked}; there is GET ${[...answers.questions.keys()].join(', GET ')} and POST /release\n`,
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

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
