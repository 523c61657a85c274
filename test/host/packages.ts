import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { run } from '../../lab/process/run.ts';

/** `npm run package`, in a hurry: a .deb for this machine. */
export async function draft(folder: string, version: string, env: readonly string[] = []): Promise<string> {
  const out = resolve(folder);
  await mkdir(out, { recursive: true });
  const architecture = (await run({ argv: ['dpkg', '--print-architecture'] })).trim();
  const options = ['--draft', '--arch', architecture, '--version', version, '--out', out];
  await run({ argv: ['env', ...env, process.execPath, 'package/main.ts', ...options] });
  return join(out, `eiproute_${version}_${architecture}.deb`);
}
