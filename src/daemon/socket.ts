import { chmod, mkdir, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import type { RoleName } from '../config/config.ts';
import { close } from './lock.ts';
import { Refused } from './refused.ts';

/** What may be asked of a running daemon. */
export interface Answers {
  /** JSON of a Status. */
  status(): string;
  /** JSON of its `version`, `synced` and `summary`: cheap enough to be asked again and again. */
  synced(): string;
  /** JSON of a PoolsStatus; a node agent has no pools. */
  pools?(): string;
  /** Lets held deletes go on. */
  release(): void;
}

const readers: ReadonlyMap<string, (answers: Answers) => string | undefined> = new Map([
  ['GET /status', (answers: Answers) => answers.status()],
  ['GET /synced', (answers: Answers) => answers.synced()],
  ['GET /pools', (answers: Answers) => answers.pools?.()],
]);

export function socketPath(runtimeDirectory: string, role: RoleName): string {
  return join(runtimeDirectory, `${role}.sock`);
}

/**
 * Answers `GET /status`, `GET /synced`, `GET /pools` and `POST /release` over HTTP on a unix socket:
 * `curl --unix-socket /run/eiproute/gateway.sock http://localhost/status`.
 *
 * @throws Refused when the socket cannot be made
 */
export async function serve(
  runtimeDirectory: string,
  role: RoleName,
  answers: Answers,
): Promise<AsyncDisposable> {
  const path = socketPath(runtimeDirectory, role);
  const server = createServer((request, response) => {
    const asked = `${request.method} ${request.url}`;
    const json = readers.get(asked)?.(answers);
    if (json !== undefined) {
      response.setHeader('content-type', 'application/json');
      response.end(`${json}\n`);
    } else if (asked === 'POST /release') {
      answers.release();
      response.statusCode = 204;
      response.end();
    } else {
      response.statusCode = 404;
      response.end(`nothing at ${asked}; there is ${[...readers.keys()].join(', ')} and POST /release\n`);
    }
  });
  try {
    await mkdir(runtimeDirectory, { recursive: true });
    // The lock is ours: what is left there is of a process that is gone.
    await rm(path, { force: true });
    await listen(server, path);
    // Who may see the status may be in the folder's group; only the owner may let held deletes go.
    await chmod(path, 0o600);
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new Refused(`cannot make the status socket ${path}: ${cause.message}; check runtimeDirectory`, {
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
