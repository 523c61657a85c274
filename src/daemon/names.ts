import { readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { families, family } from '../model/ip.ts';
import type { NodeAgent } from '../model/node-agent.ts';

const head = '# Written by "eiproute node", removed by "eiproute purge".';

/** The names of our numbers for iproute2: folder below /etc/iproute2 -> lines. */
function namesOf(agent: NodeAgent): ReadonlyMap<string, readonly string[]> {
  const tables = new Map([[agent.localTable, 'eiproute-local']]);
  for (const version of families) {
    const gateways = agent.gateways.filter(({ address }) => family(address) === version);
    gateways.forEach(({ table }, i) => {
      if (!tables.has(table)) tables.set(table, `eiproute-gateway${i + 1}`);
    });
  }
  return new Map([
    ['rt_protos.d', [`${agent.protocol} eiproute`]],
    ['rt_tables.d', [...tables].map(([number, name]) => `${number} ${name}`)],
  ]);
}

/**
 * Writes the names where iproute2 has folders for them, and no other file gives all of them, as the package's do for the
 * default numbers. A file that is not ours is left alone.
 *
 * @param root /etc/iproute2
 * @returns the files that were written; files with the same content are not
 */
export async function writeNames(root: string, agent: NodeAgent): Promise<readonly string[]> {
  const written: string[] = [];
  for (const [folder, lines] of namesOf(agent)) {
    const file = fileIn(root, folder);
    const text = `${[head, ...lines].join('\n')}\n`;
    const present = await read(file);
    if (present === text || (present !== undefined && !isOurs(present))) continue;
    if (!(await isFolder(dirname(file)))) continue;
    if (present === undefined && (await areGiven(lines, dirname(file)))) continue;
    await replace(file, text);
    written.push(file);
  }
  return written;
}

/** The existing files among these that are ours. */
export async function ownFiles(root: string): Promise<readonly string[]> {
  const files = ['rt_protos.d', 'rt_tables.d'].map((folder) => fileIn(root, folder));
  const texts = await Promise.all(files.map(read));
  return files.filter((_, i) => isOurs(texts[i] ?? ''));
}

export async function removeFiles(files: readonly string[]): Promise<void> {
  for (const file of files) await rm(file, { force: true });
}

/** Whether the files of a folder have all these lines. */
async function areGiven(lines: readonly string[], folder: string): Promise<boolean> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.conf'));
  const texts = await Promise.all(names.map((name) => read(join(folder, name))));
  const given = new Set(
    texts.flatMap((text = '') => text.split('\n').map((line) => line.trim().replace(/\s+/g, ' '))),
  );
  return lines.every((line) => given.has(line));
}

function fileIn(root: string, folder: string): string {
  return join(root, folder, 'eiproute-node.conf');
}

function isOurs(text: string): boolean {
  return text.startsWith(`${head}\n`);
}

async function replace(file: string, text: string): Promise<void> {
  // iproute2 reads only files that end in .conf.
  const fresh = `${file}.new`;
  await writeFile(fresh, text, { mode: 0o644 });
  await rename(fresh, file);
}

async function isFolder(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

async function read(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ENOTDIR');
}
