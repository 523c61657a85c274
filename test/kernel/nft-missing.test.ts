import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { inet, nftTable } from '../../src/model/nft.ts';
import { keyOf } from '../../src/model/object.ts';
import { owner, route } from '../contract/objects.ts';
import { adding, Scenario } from '../contract/scenario.ts';
import { LinuxFixture } from './linux-fixture.ts';
import { describeOnKernel } from './namespace.ts';

const table = nftTable(inet('eip-table'), owner.protocol, '  chain guard {\n  }\n');
const unreachable = route('198.51.100.0/24', { type: 'unreachable' });

describeOnKernel('an nft that somebody kills', () => {
  const { PATH } = process.env;
  let folder: string;
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open(LinuxFixture.make);
    folder = await mkdtemp(join(tmpdir(), 'eip-nft-'));
    await writeFile(join(folder, 'nft'), '#!/bin/sh\nkill -TERM $$\n', { mode: 0o755 });
    process.env['PATH'] = folder;
  });
  afterEach(async () => {
    process.env['PATH'] = PATH;
    await rm(folder, { recursive: true });
    await scenario.close();
  });

  it('is told by the signal', async () => {
    const [refusal] = await scenario.kernel.apply([adding(table)], scenario.signal);
    expect(refusal).to.include({ code: 'EINTR', message: 'EINTR: nft was ended by SIGTERM' });
  });
});

describeOnKernel('a host without nft', () => {
  const { PATH } = process.env;
  let scenario: Scenario;
  beforeEach(async () => {
    scenario = await Scenario.open(LinuxFixture.make);
    process.env['PATH'] = '';
  });
  afterEach(async () => {
    process.env['PATH'] = PATH;
    await scenario.close();
  });

  it('is read, takes everything else, and says why it refuses a table', async () => {
    expect(await scenario.codes([adding(table), adding(unreachable)])).to.deep.equal(['ENOSYS', 'ok']);
    const { objects } = await scenario.list();
    expect([...objects.keys()].filter((key) => !key.startsWith('sysctl'))).to.deep.equal([
      keyOf(unreachable),
    ]);
    const [refusal] = await scenario.kernel.apply([adding(table)], scenario.signal);
    expect(refusal?.message).to.match(/there is no program nft in PATH; install the package nftables/);
  });
});
