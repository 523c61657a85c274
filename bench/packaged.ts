import { copyFileSync, globSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { bundle } from '../package/bundle.ts';
import { startScript } from '../package/tree.ts';

/**
 * Lays out in an empty folder what a package has below /usr/lib/eiproute, with the Node that runs us.
 *
 * @param entries other entry points than the program, by name
 * @returns the program
 */
export async function packaged(folder: string, entries?: Readonly<Record<string, string>>): Promise<string> {
  await bundle(folder, 'bench', entries);
  const [koffi] = globSync(`node_modules/@koromix/koffi-*/linux_${process.arch}/koffi.node`);
  if (koffi === undefined) throw new Error('node_modules has no build of koffi for this machine');
  copyFileSync(koffi, join(folder, 'koffi.node'));
  copyFileSync('bin/node-options.sh', join(folder, 'node-options.sh'));
  symlinkSync(process.execPath, join(folder, 'node'));
  const program = join(folder, 'eiproute');
  writeFileSync(program, startScript(folder), { mode: 0o755 });
  return program;
}
