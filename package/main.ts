import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import about from '../package.json' with { type: 'json' };
import { bundle } from './bundle.ts';
import { writeDeb } from './deb.ts';
import { type Architecture, architectures, needStrip } from './parts.ts';
import { output } from './run.ts';
import { writeTarball } from './tarball.ts';
import { plant } from './tree.ts';

/**
 * `npm run package [-- --arch amd64,arm64 --version 0.2.0 --out dist --draft]`: a .deb and a .tar.gz for each
 * architecture, this machine's by default; a draft is a .deb alone, compressed in seconds.
 * The same commit gives the same bytes, on any machine with the same dpkg, strip and compressors.
 */
const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: process.arch === 'x64' ? 'amd64' : process.arch },
    version: { type: 'string', default: about.version },
    out: { type: 'string', default: 'dist' },
    draft: { type: 'boolean', default: false },
  },
});

const epoch = process.env['SOURCE_DATE_EPOCH'] ?? (await output(['git', 'log', '-1', '--format=%ct'])).trim();
if (!/^\d+$/.test(epoch)) throw new Error(`SOURCE_DATE_EPOCH is "${epoch}", which is no time in seconds`);
process.env['SOURCE_DATE_EPOCH'] = epoch;
// The modes of what is packed must not depend on who packs it.
process.umask(0o022);

await mkdir(values.out, { recursive: true });
const work = await mkdtemp(join(tmpdir(), 'eiproute-package-'));
try {
  const code = await bundle(join(work, 'bundle'), values.version);
  for (const name of values.arch.split(',')) {
    if (!isArchitecture(name))
      throw new Error(`no architecture "${name}"; there are ${Object.keys(architectures).join(', ')}`);
    await needStrip(name);
    const root = join(work, name);
    await plant(root, name, code);
    const said = { version: values.version, architecture: name, epoch: Number(epoch) };
    const made = values.draft ? [] : [await writeTarball(root, said, values.out)];
    made.push(await writeDeb(root, said, values.out, values.draft ? 'draft' : 'release'));
    for (const file of made) {
      const [sum] = (await output(['sha256sum', file])).split(' ');
      process.stdout.write(`${sum}  ${file}\n`);
    }
  }
} finally {
  await rm(work, { recursive: true, force: true });
}

function isArchitecture(name: string): name is Architecture {
  return Object.hasOwn(architectures, name);
}
