import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DaemonError } from './daemon-error.ts';

/** Whether the text is that of the file which {@link identity} keeps. */
export function isIdentity(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/.test(text);
}

/**
 * The holder identity of this gateway: unique even when two gateways have one host name, and the same after a restart,
 * so that a restarted leader does not wait for its own Lease to expire.
 *
 * @throws DaemonError when the state directory cannot be written
 */
export async function identity(stateDirectory: string): Promise<string> {
  const file = join(stateDirectory, 'identity');
  try {
    await mkdir(stateDirectory, { recursive: true });
    try {
      await writeFile(file, `${randomUUID()}\n`, { flag: 'wx' });
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
    const own = (await readFile(file, 'utf8')).trim();
    if (own !== '') return `${hostname()}_${own}`;
    throw new Error('it is empty; remove it');
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    throw new DaemonError(`cannot keep our identity in ${file}: ${cause.message}; check stateDirectory`, {
      cause,
    });
  }
}

/**
 * Who publishes: {@link identity}, or one of this run where it cannot be kept. Two gateways that run at once must differ, and
 * no more. That the state directory cannot be written is told of the ledger of sysctls, and does not end what routes.
 */
export async function publisherId(stateDirectory: string): Promise<string> {
  try {
    return await identity(stateDirectory);
  } catch (error) {
    if (!(error instanceof DaemonError)) throw error;
    return `${hostname()}_${randomUUID()}`;
  }
}
