import { expect } from 'chai';
import { nftTable } from '../../src/model/nft.ts';
import { keyOf } from '../../src/model/object.ts';
import { owner, route } from '../contract/objects.ts';
import { adding, Stage } from '../contract/stage.ts';
import { LinuxBench } from './linux-bench.ts';
import { describeOnKernel } from './namespace.ts';

const table = nftTable('eip-table', owner.protocol, '  chain guard {\n  }\n');
const unreachable = route('198.51.100.0/24', { type: 'unreachable' });

describeOnKernel('a host without nft', () => {
  const { PATH } = process.env;
  let stage: Stage;
  beforeEach(async () => {
    stage = await Stage.set(LinuxBench.make);
    process.env['PATH'] = '';
  });
  afterEach(async () => {
    process.env['PATH'] = PATH;
    await stage.strike();
  });

  it('is read, takes everything else, and says why it refuses a table', async () => {
    expect(await stage.codes([adding(table), adding(unreachable)])).to.deep.equal(['ENOSYS', 'ok']);
    const { objects } = await stage.list();
    expect([...objects.keys()].filter((key) => !key.startsWith('sysctl'))).to.deep.equal([
      keyOf(unreachable),
    ]);
    const [refusal] = await stage.kernel.apply([adding(table)], stage.signal);
    expect(refusal?.message).to.match(/there is no program nft in PATH; install the package nftables/);
  });
});
