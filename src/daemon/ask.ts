import { request } from 'node:http';
import type { RoleName } from '../config/config.ts';
import { DaemonError } from './daemon-error.ts';
import { controlPath, socketPath } from './socket.ts';

/** ms; questions are answered from memory, and an order once a round has seen it */
const patience = { GET: 15_000, POST: 60_000 } as const;

/**
 * Asks the running daemon.
 *
 * @param limit ms without a word; a daemon that is stopped (SIGSTOP, a debugger) takes connections and says nothing
 * @returns the body of its answer
 * @throws DaemonError when no daemon answers
 */
export function ask(
  runtimeDirectory: string,
  role: RoleName,
  method: 'GET' | 'POST',
  path:
    | '/status'
    | '/synced'
    | '/objects'
    | '/namespace'
    | '/eips'
    | `/eips?of=${string}`
    | `/paths?of=${string}`
    | '/pools'
    | `/moved?node=${string}`
    | `/events?after=${number}`
    | '/release'
    | `/release?${string}`
    | '/drain'
    | '/undrain',
  signal: AbortSignal,
  limit: number = patience[method],
): Promise<string> {
  const socket = (method === 'POST' ? controlPath : socketPath)(runtimeDirectory, role);
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void =>
      reject(signal.aborted ? cause : unanswered(role, method, socket, cause));
    // A connection of its own: a daemon that was busy for longer than it keeps one open resets it under the next question.
    const sent = request({ socketPath: socket, method, path, signal, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', fail);
      response.on('end', () => {
        const body = Buffer.concat(chunks).toString();
        if (response.statusCode === 200 || response.statusCode === 204) resolve(body);
        else if (response.statusCode === 409) reject(new DaemonError(body.trim()));
        else reject(new DaemonError(`the daemon answered ${response.statusCode}: ${body.trim()}`));
      });
    });
    sent.on('error', fail);
    sent.setTimeout(Math.max(1, limit), () => {
      const words = `it has said nothing for ${Number((limit / 1000).toFixed(1))} s (ETIMEDOUT)`;
      sent.destroy(Object.assign(new Error(words), { code: 'ETIMEDOUT' }));
    });
    sent.end();
  });
}

export function unanswered(
  role: RoleName,
  method: 'GET' | 'POST',
  socket: string,
  cause: NodeJS.ErrnoException,
): Error {
  switch (cause.code) {
    case 'ENOENT':
      return silent(role, socket, 'there is no such socket (ENOENT)', cause);
    case 'ECONNREFUSED':
      return silent(role, socket, 'nothing listens there (ECONNREFUSED)', cause);
    case 'EACCES':
      return new DaemonError(
        `this user may not talk to the daemon at ${socket} (EACCES): ${whoMay(method)}`,
        {
          cause,
        },
      );
    case 'ECONNRESET':
    case 'EPIPE':
      return silent(role, socket, `it ended before its answer (${cause.code})`, cause);
    case 'ETIMEDOUT':
      return silent(role, socket, cause.message, cause);
    default:
      return cause;
  }
}

function whoMay(method: 'GET' | 'POST'): string {
  return method === 'POST'
    ? 'only root and the user that the daemon runs as may change something; try again with sudo'
    : 'only root and members of the group eiproute may ask; try again with sudo, or once: sudo usermod -aG eiproute "$USER", and log in again';
}

function silent(role: RoleName, socket: string, why: string, cause: Error): DaemonError {
  return new DaemonError(
    `no ${role} daemon answers at ${socket}: ${why}; is it running? systemctl status eiproute-${role}, or start it: eiproute ${role}`,
    { cause },
  );
}
