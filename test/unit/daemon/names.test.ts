import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { ownFiles, removeFiles, writeNames } from '../../../src/daemon/names.ts';
import { agent } from '../../node-agent.ts';

describe('names for iproute2', () => {
  let root: string;
  const file = (folder: string): string => join(root, folder, 'eiproute-node.conf');
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'eip-names-'));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('are written where there are folders for them, once, and removed', async () => {
    mkdirSync(join(root, 'rt_tables.d'));
    expect(await writeNames(root, agent)).to.deep.equal([file('rt_tables.d')]);
    expect(readFileSync(file('rt_tables.d'), 'utf8').split('\n').slice(1)).to.deep.equal([
      '100 eiproute-local',
      '101 eiproute-gateway1',
      '',
    ]);
    expect(await writeNames(root, agent)).to.deep.equal([]);
    expect(await writeNames(root, { ...agent, localTable: 99 })).to.deep.equal([file('rt_tables.d')]);
    expect(await ownFiles(root)).to.deep.equal([file('rt_tables.d')]);
    await removeFiles(await ownFiles(root));
    expect(await ownFiles(root)).to.deep.equal([]);
    expect(existsSync(join(root, 'rt_protos.d'))).to.equal(false);
  });

  it('never touch a file of somebody else', async () => {
    mkdirSync(join(root, 'rt_protos.d'));
    writeFileSync(file('rt_protos.d'), '86 mine\n');
    expect(await writeNames(root, agent)).to.deep.equal([]);
    expect(await ownFiles(root)).to.deep.equal([]);
    expect(readFileSync(file('rt_protos.d'), 'utf8')).to.equal('86 mine\n');
  });

  it('are not written where the package has given them', async () => {
    for (const kind of ['protos', 'tables']) {
      const folder = join(root, `rt_${kind}.d`);
      mkdirSync(folder);
      copyFileSync(
        new URL(`../../../systemd/rt_${kind}.conf`, import.meta.url),
        join(folder, 'eiproute.conf'),
      );
    }
    expect(await writeNames(root, agent)).to.deep.equal([]);
    expect(await writeNames(root, { ...agent, localTable: 99 })).to.deep.equal([file('rt_tables.d')]);
    // It is there, and would say the former numbers.
    expect(await writeNames(root, agent)).to.deep.equal([file('rt_tables.d')]);
  });

  it('are no matter where iproute2 is not there at all', async () => {
    expect(await writeNames(join(root, 'nowhere'), agent)).to.deep.equal([]);
    expect(await ownFiles(join(root, 'nowhere'))).to.deep.equal([]);
  });
});
