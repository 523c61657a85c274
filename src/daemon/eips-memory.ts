import { mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Prefix } from '../model/ip.ts';

const version = 1;

/** Whether the text is that of the file of {@link recallEips}. */
export function isEipsMemory(text: string): boolean {
  try {
    const content: unknown = JSON.parse(text);
    return typeof content === 'object' && content !== null && 'object' in content && 'eips' in content;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/**
 * The networks that were last read from an object, as text for its parser.
 *
 * @param object the file must be about this one
 * @returns undefined when there are none
 * @throws Error that says why the file cannot be used
 */
export async function recallEips(file: string, object: string): Promise<string | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  const content: unknown = JSON.parse(text);
  const fields = typeof content === 'object' && content !== null ? content : {};
  if (!('version' in fields && 'object' in fields && 'eips' in fields) || fields.version !== version) {
    throw new Error(`it is not of version ${version}`);
  }
  return fields.object === object ? JSON.stringify(fields.eips) : undefined;
}

/** Replaces the file atomically. */
export async function rememberEips(file: string, object: string, eips: readonly Prefix[]): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const draft = `${file}.new`;
  try {
    const handle = await open(draft, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ version, object, eips })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
