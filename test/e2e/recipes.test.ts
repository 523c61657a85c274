import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { outcome, run } from '../../lab/process/run.ts';
import { needPrograms } from './root.ts';

/** The indented block of a page that begins with this line. */
function block(page: string, first: string): string {
  const lines = page.split('\n');
  const from = lines.findIndex((line) => line.startsWith(`    ${first}`));
  if (from < 0) throw new Error(`no block that begins with ${first}`);
  const rest = lines.slice(from);
  const end = rest.findIndex((line) => line !== '' && !line.startsWith('    '));
  return rest
    .slice(0, end < 0 ? undefined : end)
    .map((line) => line.slice(4))
    .join('\n');
}

describe('the recipes of docs/high-availability.md', () => {
  let folder: string;
  let page: string;
  let config: string;
  before(async function () {
    needPrograms(this, 'bird', 'vtysh');
    folder = await mkdtemp(join(tmpdir(), 'eip-recipes-'));
    page = await readFile(new URL('../../docs/high-availability.md', import.meta.url), 'utf8');
    config = join(folder, 'gateway.yaml');
    const pools = 'pools: [{ name: public, addresses: [198.51.100.0/24], communities: ["65001:100"] }]';
    await writeFile(config, `lan: eth0\nuplink: eth1\n${pools}\n${block(page, 'announce: true')}`);
  });
  after(async () => {
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  it('for BIRD are what BIRD takes, with the include of eiproute bird', async () => {
    const include = join(folder, 'eips.conf');
    await writeFile(include, await run({ argv: [program, 'bird', '--config', config] }));
    const file = join(folder, 'bird.conf');
    await writeFile(file, block(page, 'router id').replace('/etc/bird/eips.conf', include));
    const { status, err } = await outcome({ argv: ['bird', '-p', '-c', file] });
    expect([status, err]).to.deep.equal([0, '']);
  });

  it('for FRR are what FRR takes, with the output of eiproute frr', async () => {
    const file = join(folder, 'frr.conf');
    const lists = await run({ argv: [program, 'frr', '--config', config] });
    await writeFile(file, `${lists}${block(page, 'router bgp')}\n`);
    const { status, err, out } = await outcome({ argv: ['vtysh', '--dryrun', '--inputfile', file] });
    expect([status, err, out]).to.deep.equal([0, '', '']);
  });
});
