import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { outcome, run } from '../../lab/process/run.ts';
import { needRoot } from '../e2e/root.ts';
import { draft } from './packages.ts';

describe('the package', () => {
  let folder: string;
  let file: string;

  before(async function () {
    needRoot(this);
    folder = await mkdtemp('/var/tmp/eip-package-');
    file = await draft(folder, '0.1.0');
    await run({ argv: ['dpkg-deb', '--raw-extract', file, join(folder, 'tree')] });
  });

  after(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  const read = (path: string): Promise<string> => readFile(join(folder, 'tree', path), 'utf8');

  it('is the same to the last byte, whoever makes it', async () => {
    const other = await draft(join(folder, 'again'), '0.1.0', [
      'TZ=Asia/Tokyo',
      'LC_ALL=C',
      'TMPDIR=/var/tmp',
    ]);
    const [one, two] = await Promise.all([file, other].map(hash));
    expect(one).to.equal(two);
  });

  it('holds files of root only, none of them writable for others', async () => {
    const listing = (await run({ argv: ['dpkg-deb', '--contents', file] })).trim().split('\n');
    expect(listing).to.have.length.above(30);
    for (const line of listing) expect(line).to.match(/^[d-]rw[x-]r-[x-]r-[x-] root\/root /);
  });

  it('keeps what an operator may change', async () => {
    // What every operator changes is not in it: dpkg would ask, and tar would overwrite it.
    expect(await outcome({ argv: ['ls', join(folder, 'tree/etc/eiproute')] })).to.include({ status: 2 });
    expect((await read('DEBIAN/conffiles')).trim().split('\n')).to.deep.equal([
      '/etc/iproute2/rt_protos.d/eiproute.conf',
      '/etc/iproute2/rt_tables.d/eiproute.conf',
    ]);
    const checked = await outcome({
      argv: [
        join(folder, 'tree/usr/lib/eiproute/node'),
        join(folder, 'tree/usr/lib/eiproute/eiproute.mjs'),
        ...['config', 'check', '--config', join(folder, 'tree/usr/share/eiproute/gateway.yaml')],
      ],
    });
    // Nobody has said yet what this host is to forward.
    expect(checked.status).to.equal(2);
    expect(checked.err).to.match(/lan: is missing/);
  });

  it('has of undici neither mocks nor caches, and of pino no threads', async () => {
    const lib = join(folder, 'tree/usr/lib/eiproute');
    const files = (await readdir(lib)).filter((name) => name.endsWith('.mjs'));
    const texts = await Promise.all(files.map((name) => readFile(join(lib, name), 'utf8')));
    const bundled = texts.flatMap((text) => [...text.matchAll(/node_modules\/(undici\/lib\/\w+|[\w-]+)\//g)]);
    const found = new Set(bundled.map(([, part]) => part));
    expect([...found]).to.include.members(['undici/lib/dispatcher', 'pino']);
    const unused = ['undici/lib/mock', 'undici/lib/cache', 'undici/lib/interceptor', 'thread-stream'];
    expect(unused.filter((part) => found.has(part))).to.deep.equal([]);
  });

  it('has the licences of what is in it', async () => {
    const rights = await read('usr/share/doc/eiproute/copyright');
    for (const name of ['Apache License', 'Node.js 24', 'koffi ', 'pino ', 'undici ', 'convict '])
      expect(rights).to.contain(name);
  });

  it('tells of every command, in the manual and to the shells', async () => {
    const help = await run({ argv: ['bin/eiproute', '--help'] });
    const commands = [...help.matchAll(/^ {2}([a-z]+) /gm)].map(([, name = '']) => name);
    expect(commands).to.include.members(['gateway', 'status', 'purge']);
    const [manual, bash, zsh] = await Promise.all(
      ['package/eiproute.8', 'package/completion.bash', 'package/completion.zsh'].map((path) =>
        readFile(path, 'utf8'),
      ),
    );
    // The demo is not in the package, and help is what everybody expects.
    for (const name of commands.filter((one) => one !== 'demo' && one !== 'help')) {
      expect(manual, name).to.match(new RegExp(`^\\.BR? "?${name}\\b`, 'm'));
      expect(bash, name).to.match(new RegExp(`\\b${name}\\b`));
      expect(zsh, name).to.contain(`'${name}:`);
    }
  });

  it('completes in bash', async () => {
    const ask = (words: string) =>
      run({
        argv: [
          'bash',
          '-c',
          `. package/completion.bash; COMP_WORDS=(${words}); COMP_CWORD=$((\${#COMP_WORDS[@]} - 1)); _eiproute; echo "\${COMPREPLY[*]}"`,
        ],
      });
    expect(await ask('eiproute st')).to.equal('status\n');
    expect(await ask('eiproute status --wa')).to.equal('--wait-synced --watch\n');
    expect(await ask('eiproute --log-level w')).to.equal('warn\n');
  });

  for (const page of ['man8/eiproute.8.gz', 'man5/eiproute.yaml.5.gz']) {
    it(`has a manual without mistakes: ${page}`, async () => {
      const path = join(folder, 'tree/usr/share/man', page);
      const man = await outcome({ argv: ['man', '--warnings', '-l', path] });
      expect({ ...man, out: man.out.length > 1000 }).to.deep.equal({ status: 0, out: true, err: '' });
    });
  }
});

async function hash(file: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}
