import { copyFileSync, globSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bundle } from '../package/bundle.ts';
import { startScript } from '../package/tree.ts';

/** What a package has below /usr/lib/eiproute, with the Node that runs us. Its folder goes with it. */
export class Packaged implements Disposable {
  readonly folder = mkdtempSync(join(tmpdir(), 'eip-package-'));

  /** The path of the program. */
  get program(): string {
    return join(this.folder, 'eiproute');
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** @param entries other entry points than the program, by name */
export async function packaged(entries?: Readonly<Record<string, string>>): Promise<Packaged> {
  const made = new Packaged();
  try {
    await layOut(made, entries);
    return made;
  } catch (error) {
    made[Symbol.dispose]();
    throw error;
  }
}

async function layOut(
  { folder, program }: Packaged,
  entries?: Readonly<Record<string, string>>,
): Promise<void> {
  await bundle(folder, 'bench', entries);
  const [koffi] = globSync(`node_modules/@koromix/koffi-*/linux_${process.arch}/koffi.node`);
  if (koffi === undefined) throw new Error('node_modules has no build of koffi for this machine');
  copyFileSync(koffi, join(folder, 'koffi.node'));
  copyFileSync('bin/node-options.sh', join(folder, 'node-options.sh'));
  symlinkSync(process.execPath, join(folder, 'node'));
  writeFileSync(program, startScript(folder), { mode: 0o755 });
}
