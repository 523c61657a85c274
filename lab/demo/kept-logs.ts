import { cp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/**
 * Copies the logs of a run out of its folder, which goes with the run.
 *
 * @returns where they are
 */
export async function keepLogs(folder: string): Promise<string> {
  const kept = join(tmpdir(), `eiproute-demo-${basename(folder)}`);
  await cp(folder, kept, {
    recursive: true,
    filter: (path) => path === folder || path.endsWith('.log'),
  });
  return kept;
}
