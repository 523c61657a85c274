import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isLog } from '../cluster/cluster-log.ts';
import { isLedger } from '../kernel/ledger.ts';
import { coveringFile, isCoveringMemory } from './covering-memory.ts';
import { isDrainingFile } from './draining.ts';
import { isEipsMemory } from './eips-memory.ts';
import { isIdentity } from './identity.ts';
import { isPublishedMemory } from './published-memory.ts';

/** Below the state directory: the files of each role, and how we know our own. */
const known: Readonly<Record<'gateway' | 'node', ReadonlyMap<string, (text: string) => boolean>>> = {
  gateway: new Map([
    ['cluster.json', isLog],
    [coveringFile, isCoveringMemory],
    ['draining', isDrainingFile],
    ['identity', isIdentity],
    ['sysctls.json', isLedger],
  ]),
  node: new Map([
    ['node/eips.json', isEipsMemory],
    ['node/published.json', isPublishedMemory],
    ['node/sysctls.json', isLedger],
  ]),
};

/** The files that a daemon has left in its state directory. One that we could not have written is none of them. */
export async function stateFiles(
  stateDirectory: string,
  role: 'gateway' | 'node',
): Promise<readonly string[]> {
  const files: string[] = [];
  for (const [name, isOurs] of known[role]) {
    const file = join(stateDirectory, name);
    const text = await read(file);
    if (text !== undefined && isOurs(text)) files.push(file);
  }
  if (role === 'gateway') files.push(...(await clusterLogs(stateDirectory)));
  return files.sort();
}

/** Of clusters with names, also of those that the configuration names no more. */
async function clusterLogs(stateDirectory: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const name of await names(stateDirectory)) {
    if (!/^cluster-[-a-z0-9]+\.json$/.test(name)) continue;
    const file = join(stateDirectory, name);
    const text = await read(file);
    if (text !== undefined && isLog(text)) found.push(file);
  }
  return found;
}

async function names(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
    throw error;
  }
}
