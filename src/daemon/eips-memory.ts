import type { Prefix } from '../model/ip.ts';
import { readIfThere, replaceFile } from './whole-file.ts';

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
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  const content: unknown = JSON.parse(text);
  const fields = typeof content === 'object' && content !== null ? content : {};
  if (!('version' in fields && 'object' in fields && 'eips' in fields) || fields.version !== version) {
    throw new Error(`it is not of version ${version}`);
  }
  return fields.object === object ? JSON.stringify(fields.eips) : undefined;
}

/** Replaces the file atomically. */
export async function rememberEips(file: string, object: string, eips: readonly Prefix[]): Promise<void> {
  await replaceFile(file, `${JSON.stringify({ version, object, eips })}\n`);
}
