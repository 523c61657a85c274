import { stat } from 'node:fs/promises';
import { DaemonError } from './daemon-error.ts';

/**
 * Says of a folder of the configuration that cannot be one, before anything is done. One that is not there yet is made
 * when it is needed.
 *
 * @param key of the configuration: 'stateDirectory'
 * @throws DaemonError
 */
export async function needFolder(key: string, path: string): Promise<void> {
  const wrong = (what: string): DaemonError =>
    new DaemonError(`${key} ${path} ${what}: move that file away, or set ${key} to a directory`);
  try {
    if (!(await stat(path)).isDirectory()) throw wrong('is a file, and must be a directory');
  } catch (error) {
    if (!(error instanceof Error && 'code' in error)) throw error;
    if (error.code === 'ENOTDIR') throw wrong('cannot be a directory, a part of its path is a file');
    // What else is wrong with it is said by who writes there.
  }
}
