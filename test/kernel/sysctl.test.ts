import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { Ledger } from '../../src/kernel/ledger.ts';
import { readSysctl, Sysctls, writeSysctl } from '../../src/kernel/sysctl.ts';
import type { Sysctl } from '../../src/model/object.ts';
import { describeOnKernel } from './namespace.ts';

const forward: Sysctl = { kind: 'sysctl', name: 'net/ipv4/ip_forward', value: '1' };
const redirects = 'net/ipv4/conf/all/accept_redirects';

describeOnKernel('forwarding', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'eiproute-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
  });

  for (const former of ['0', '1']) {
    it(`takes accept_redirects along in Linux; put back, it is ${former} again as it was`, async () => {
      const file = join(folder, `ledger-${former}`);
      await writeSysctl(forward.name, '0');
      await writeSysctl(redirects, former);
      const sysctls = new Sysctls(await Ledger.load(file));
      const refused: [] = [];
      await sysctls.set([{ index: 0, sysctl: forward }], refused);
      expect(refused.filter(Boolean)).to.deep.equal([]);
      expect(await readSysctl(redirects), 'while it forwards').to.equal('0');
      expect(
        (await sysctls.list([])).map(({ name }) => name),
        'ours',
      ).to.deep.equal([forward.name]);

      const later = new Sysctls(await Ledger.load(file));
      expect(later.written).to.deep.equal(
        new Map([
          [forward.name, '1'],
          [redirects, '0'],
        ]),
      );
      await later.restore([{ index: 0, sysctl: forward }], refused);
      expect(await readSysctl(forward.name)).to.equal('0');
      expect(await readSysctl(redirects)).to.equal(former);
      expect((await Ledger.load(file)).former.size).to.equal(0);
    });
  }

  it('leaves accept_redirects alone when another program has set it since', async () => {
    const file = join(folder, 'ledger-foreign');
    await writeSysctl(forward.name, '0');
    await writeSysctl(redirects, '0');
    const sysctls = new Sysctls(await Ledger.load(file));
    const refused: [] = [];
    await sysctls.set([{ index: 0, sysctl: forward }], refused);
    await writeSysctl(redirects, '1');
    await sysctls.restore([{ index: 0, sysctl: forward }], refused);
    expect(await readSysctl(forward.name)).to.equal('0');
    expect(await readSysctl(redirects)).to.equal('1');
  });
});
