import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { readIfThere, replaceFile } from './whole-file.ts';

/** Whether the text is that of the file which {@link identity} keeps. */
export function isIdentity(text: string): boolean {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\n$/.test(text);
}

/**
 * Who this gateway is, for those who publish and for the Lease: unique even when two gateways have one host name, and the
 * same after a restart, so that a restarted leader does not wait for its own Lease to expire.
 *
 * Two gateways that run at once must differ, and no more. So a file that a loss of power has left empty is written anew, and
 * where it cannot be kept, it is one of this run: that the state directory cannot be written is told of the ledger of sysctls,
 * and does not end what routes.
 */
export async function identity(stateDirectory: string): Promise<string> {
  return `${hostname()}_${(await kept(join(stateDirectory, 'identity'))).trim()}`;
}

async function kept(file: string): Promise<string> {
  const fresh = `${randomUUID()}\n`;
  try {
    const own = await readIfThere(file);
    if (own !== undefined && isIdentity(own)) return own;
    await replaceFile(file, fresh);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
  }
  return fresh;
}
