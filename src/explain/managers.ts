import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readWith } from '../kernel/program.ts';
import type { ManagerFacts } from './doctor-facts.ts';
import { processesNamed } from './processes.ts';

/** By the name of the process, which Linux cuts at 15 characters. */
const known: ReadonlyMap<string, string> = new Map([
  ['systemd-network', 'systemd-networkd'],
  ['NetworkManager', 'NetworkManager'],
  ['zebra', 'zebra (FRR)'],
  ['bird', 'bird'],
  ['keepalived', 'keepalived'],
  ['connmand', 'connmand'],
  ['dhcpcd', 'dhcpcd'],
]);

/** Other programs that manage routes in this network namespace. */
export async function findManagers(signal: AbortSignal): Promise<ManagerFacts> {
  const running = await runningManagers();
  return {
    running,
    networkd: running.includes('systemd-networkd') ? await networkdSettings('/') : new Map(),
    networkManager: running.includes('NetworkManager') ? await managedLinks(signal) : [],
  };
}

async function runningManagers(): Promise<readonly string[]> {
  const found = (await processesNamed(new Set(known.keys()))).flatMap(({ name, namespace }) =>
    namespace === 'ours' ? (known.get(name) ?? []) : [],
  );
  return [...new Set(found)].sort();
}

const folders = ['usr/lib/systemd', 'run/systemd', 'etc/systemd'];

/**
 * The keys of systemd-networkd's [Network] section as networkd.conf(5) reads them: the main file first, then all drop-ins
 * in the order of their names; one of a name in /etc hides the others.
 */
export async function networkdSettings(root: string): Promise<ReadonlyMap<string, string>> {
  const dropIns = new Map<string, string>();
  let main = '';
  for (const folder of folders) {
    const base = join(root, folder);
    main = (await textOf(join(base, 'networkd.conf'))) ?? main;
    const names = await readdir(join(base, 'networkd.conf.d')).catch(() => []);
    for (const name of names.filter((one) => one.endsWith('.conf')))
      dropIns.set(name, (await textOf(join(base, 'networkd.conf.d', name))) ?? '');
  }
  const texts = [main, ...[...dropIns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, text]) => text)];
  const settings = new Map<string, string>();
  for (const text of texts) {
    let section = '';
    for (const line of text.split('\n')) {
      section = /^\[(.*)\]$/.exec(line.trim())?.[1] ?? section;
      const [, key, value] = /^\s*(\w+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
      if (section === 'Network' && key !== undefined && value !== undefined) settings.set(key, value);
    }
  }
  return settings;
}

async function textOf(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined;
    throw error;
  }
}

async function managedLinks(signal: AbortSignal): Promise<readonly string[]> {
  const ended = await readWith('nmcli', ['-t', '-f', 'DEVICE,STATE', 'device'], signal);
  if (ended.kind === 'not run' || ended.status !== 0) return [];
  return ended.out.split('\n').flatMap((line) => {
    const [device = '', state = ''] = line.split(':');
    return state === 'unmanaged' || state === '' ? [] : [device];
  });
}
