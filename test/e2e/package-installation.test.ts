import { resolve } from 'node:path';
import { expect } from 'chai';
import { outcome } from '../../lab/process/run.ts';
import { needRoot } from './root.ts';

/** A host without systemd, whose files are its own, and end with the shell; the files of the package are unpacked. */
const host = `set -eu
umask 077
for folder in /etc /usr/share /usr/local/bin /var/lib; do mount -t tmpfs none $folder; done
printf 'root:x:0:\\neiproute:x:64999:\\n' >/etc/group
printf '#!/bin/sh\\n' >/usr/local/bin/systemd-sysusers
chmod 0755 /usr/local/bin/systemd-sysusers
export PATH=/usr/local/bin:$PATH
mkdir -p /usr/share/eiproute
echo '# all of it' >/usr/share/eiproute/gateway.yaml
echo '# all of it' >/usr/share/eiproute/node.yaml
postinst() { sh ${resolve('package/debian/postinst')} configure "$@"; }
look() { cd /etc/eiproute; stat --format='%n %a %u:%g' . *; tail -n +1 *; }`;

describe('the package, when it is installed', () => {
  before(function () {
    needRoot(this);
  });

  const cases: readonly (readonly [what: string, steps: string, shown: readonly string[]])[] = [
    [
      'lays a configuration of both roles to be edited, that the daemon can read',
      'postinst',
      ['. 755 0:64999', 'gateway.yaml 644 0:0', 'node.yaml 644 0:0'],
    ],
    [
      'keeps a configuration that was there before',
      'mkdir /etc/eiproute; echo "lan: eth0" >/etc/eiproute/gateway.yaml; postinst',
      ['lan: eth0', '# all of it'],
    ],
    [
      'lets an upgrade neither touch a configuration nor bring one back that was deleted',
      'postinst; echo "lan: eth0" >/etc/eiproute/gateway.yaml; rm /etc/eiproute/node.yaml; echo "# new" >/usr/share/eiproute/gateway.yaml; postinst 0.0.9',
      ['. 755 0:64999\ngateway.yaml 644 0:0\nlan: eth0\n'],
    ],
  ];
  for (const [what, steps, shown] of cases) {
    it(what, async () => {
      const script = `${host}\n${steps}\nlook`;
      const { status, out, err } = await outcome({ argv: ['unshare', '--mount', 'sh', '-c', script] });
      expect(err).to.equal('');
      expect(status).to.equal(0);
      for (const text of shown) expect(out).to.contain(text);
    });
  }
});
