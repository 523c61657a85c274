import { generateKeyPairSync } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { serverCertificate } from '../../../lab/cluster/api/certificate.ts';
import { certificateExpiry, tokenExpiry } from '../../../src/explain/expiry.ts';
import { networkdSettings } from '../../../src/explain/managers.ts';
import { parseIp } from '../../../src/model/ip.ts';

describe('networkdSettings', () => {
  let root: string;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'eip-networkd-'));
    const files: Readonly<Record<string, string>> = {
      'usr/lib/systemd/networkd.conf.d/10.conf': '[Network]\nManageForeignRoutes=yes\n',
      'usr/lib/systemd/networkd.conf.d/50.conf': '[Network]\nManageForeignNextHops=no\n',
      'etc/systemd/networkd.conf':
        '[Network]\n#ManageForeignRoutes=yes\nManageForeignRoutingPolicyRules=no\n',
      'etc/systemd/networkd.conf.d/20.conf':
        '[Network]\n  ManageForeignRoutes = no \n[DHCPv4]\nManageForeignNextHops=yes\n',
      'etc/systemd/networkd.conf.d/50.conf': '',
    };
    for (const [path, text] of Object.entries(files)) {
      await mkdir(join(root, path, '..'), { recursive: true });
      await writeFile(join(root, path), text);
    }
  });
  after(() => rm(root, { recursive: true }));

  it('reads files and drop-ins as systemd does', async () => {
    expect(Object.fromEntries(await networkdSettings(root))).to.deep.equal({
      ManageForeignRoutes: 'no',
      ManageForeignRoutingPolicyRules: 'no',
    });
  });

  it('is empty where there are none', async () => {
    expect([...(await networkdSettings(join(root, 'none')))]).to.deep.equal([]);
  });
});

describe('expiry', () => {
  const jwt = (claims: object): string =>
    ['{}', JSON.stringify(claims), 'x'].map((part) => Buffer.from(part).toString('base64url')).join('.');

  it('is that of a JSON web token', () => {
    expect(tokenExpiry(jwt({ exp: 1_700_000_000 }))).to.equal(1_700_000_000_000);
  });

  it('is not known of other tokens', () => {
    for (const token of ['opaque', 'with.dot', 'a.b.c', jwt({}), jwt({ exp: 'soon' })])
      expect(tokenExpiry(token), token).to.equal(undefined);
  });

  it('is that of a certificate', () => {
    const { certificate } = serverCertificate([parseIp('127.0.0.1')], ['localhost']);
    expect(certificateExpiry(Buffer.from(certificate))).to.be.greaterThan(Date.now());
    const { publicKey } = generateKeyPairSync('ed25519');
    const pem = publicKey.export({ type: 'spki', format: 'pem' });
    expect(() => certificateExpiry(Buffer.from(pem))).to.throw();
  });
});
