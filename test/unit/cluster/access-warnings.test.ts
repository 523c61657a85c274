import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { accessWarnings } from '../../../src/cluster/access-warnings.ts';

describe('warnings about the way to the API server', () => {
  let folder = '';
  let file = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'eiproute-access-'));
    file = join(folder, 'kubeconfig');
  });
  after(() => rmSync(folder, { recursive: true }));

  function codes(mode: number, cluster = '', env: Readonly<Record<string, string>> = {}): readonly string[] {
    writeFileSync(
      file,
      `current-context: a
contexts: [{ name: a, context: { cluster: a, user: a } }]
clusters: [{ name: a, cluster: { server: "https://192.0.2.1"${cluster} } }]
users: [{ name: a, user: { token: abc } }]
`,
    );
    chmodSync(file, mode);
    return accessWarnings({ kubeconfig: file, context: undefined }, env).map(({ code }) => code);
  }

  it('are none for a kubeconfig that its owner and group read', () => {
    expect(codes(0o640)).to.deep.equal([]);
    expect(codes(0o600)).to.deep.equal([]);
  });

  it('name a kubeconfig that others can read or write, or the group can write', () => {
    for (const mode of [0o644, 0o602, 0o666, 0o660]) expect(codes(mode)).to.deep.equal(['kubeconfig-mode']);
    const [warning] = accessWarnings({ kubeconfig: file, context: undefined }, {});
    expect(warning?.message).to.match(/has mode 0660: /);
  });

  it('name a server that is not verified', () => {
    expect(codes(0o600, ', insecure-skip-tls-verify: true')).to.deep.equal(['tls-not-verified']);
  });

  it('name a proxy in the environment, which is not used', () => {
    const env = { HTTPS_PROXY: 'http://proxy:3128' };
    expect(codes(0o600, '', env)).to.deep.equal(['proxy-not-used']);
    expect(codes(0o600, ', proxy-url: "http://proxy:3128"', env)).to.deep.equal([]);
  });

  it('are none for a kubeconfig that cannot be used: that is reported elsewhere', () => {
    expect(accessWarnings({ kubeconfig: join(folder, 'none'), context: undefined }, {})).to.deep.equal([]);
  });
});
