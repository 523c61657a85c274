import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { outcome, run } from '../../lab/process/run.ts';

describe('the Ansible collection', () => {
  it('has no findings in ansible-lint, profile production', async () => {
    const { status, out, err } = await outcome({
      argv: ['env', '--chdir=ansible', 'ansible-lint', '--nocolor', '--offline', '--profile', 'production'],
    });
    expect(status, `${out}${err}`).to.equal(0);
    const [, files] = /0 failure\(s\), 0 warning\(s\) on (\d+) files/.exec(`${out}${err}`) ?? [];
    expect(Number(files)).to.be.above(30);
  });

  it('can be built, and its roles tell what they take', async () => {
    const folder = await mkdtemp('/var/tmp/eip-collection-');
    try {
      const env = ['env', '--chdir=ansible', `ANSIBLE_LOCAL_TEMP=${folder}`];
      await run({ argv: [...env, 'ansible-galaxy', 'collection', 'build', '--output-path', folder] });
      const install = ['collection', 'install', '--offline', '-p', folder];
      await run({
        argv: [...env, 'ansible-galaxy', ...install, join(folder, 'eiproute-eiproute-1.0.0.tar.gz')],
      });
      const told = await run({
        argv: [
          ...env,
          `ANSIBLE_COLLECTIONS_PATH=${folder}`,
          'ansible-doc',
          '-t',
          'role',
          'eiproute.eiproute.gateway',
        ],
      });
      expect(told).to.contain('gateway_config');
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
