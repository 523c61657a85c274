import { readdir, readFile, readlink } from 'node:fs/promises';

/** A process of this host, as far as this one may look at it. */
export interface HostProcess {
  readonly pid: number;
  /** As Linux cuts it: 15 characters. */
  readonly name: string;
  readonly arguments: readonly string[];
  /** Whether it works in this network namespace; 'hidden': it is another user's, and only root may see it. */
  readonly namespace: 'ours' | 'another' | 'hidden';
}

/** The processes with one of these names. */
export async function processesNamed(names: ReadonlySet<string>): Promise<readonly HostProcess[]> {
  const own = await readlink('/proc/self/ns/net');
  const found = await Promise.all(
    (await readdir('/proc'))
      .filter((entry) => /^\d+$/.test(entry))
      .map(async (pid): Promise<HostProcess | undefined> => {
        // A process may end while it is looked at.
        const name = (await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')).trim();
        if (!names.has(name)) return undefined;
        const line = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        const namespace = await namespaceOf(pid);
        if (namespace === undefined) return undefined;
        return {
          pid: Number(pid),
          name,
          arguments: line.split('\0').slice(1, -1),
          namespace: namespace === 'hidden' ? namespace : namespace === own ? 'ours' : 'another',
        };
      }),
  );
  return found.filter((one) => one !== undefined);
}

/** undefined: the process has ended */
async function namespaceOf(pid: string): Promise<string | undefined> {
  try {
    return await readlink(`/proc/${pid}/ns/net`);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    return code === 'EACCES' || code === 'EPERM' ? 'hidden' : undefined;
  }
}
