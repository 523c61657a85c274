import { resolve } from 'node:path';
import { expect } from 'chai';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { outcome } from '../../lab/process/run.ts';
import { needRoot } from './root.ts';

const kernel = `look() {
  ip rule; ip -6 rule; ip route show table all proto 86; ip -6 route show table all proto 86; ip nexthop
  nft list tables
}`;

/** A host without systemd, whose files and network are its own, and end with the shell. */
const host = `set -eu
for folder in /etc /run /var/lib /usr/local/bin; do mount -t tmpfs none $folder; done
mkdir /etc/eiproute /var/lib/eiproute
ln -s ${program} /usr/local/bin/eiproute
export PATH=/usr/local/bin:$PATH
unset NODE_EXTRA_CA_CERTS
ip link set lo up
ip link add eth0 type veth peer name eth1
for name in eth0 eth1; do ip link set $name up; done
ip address add 10.0.0.11/24 dev eth0
ip address add 2001:db8:10::11/64 dev eth0 nodad
${kernel}
look >/run/before`;

/** What the maintainer scripts do when `dpkg --purge` removes and purges, and what differs afterwards. */
const purge = `look >/run/installed
if cmp -s /run/before /run/installed; then echo 'nothing was installed'; fi
sh ${resolve('package/debian/prerm')} remove
sh ${resolve('package/debian/postrm')} purge
look >/run/after
diff /run/before /run/after`;

const node = `cat >/etc/eiproute/node.yaml <<'END'
eips: [198.51.100.0/24, "2001:db8:e::/64"]
gateways: [10.0.0.1, "2001:db8:10::1"]
END
printf '# lan: eth0\\n' >/etc/eiproute/gateway.yaml
eiproute plan --commands --config /etc/eiproute/node.yaml >/run/plan 2>/run/said || true
sh -e /run/plan >/dev/null`;

function gateway(mode: string): string {
  return `cat >/run/cluster.json <<'END'
{ "kind": "List", "items": [
  { "kind": "Node", "metadata": { "name": "n1" }, "status": { "addresses": [{ "type": "InternalIP", "address": "10.0.0.21" }],
    "conditions": [{ "type": "Ready", "status": "True" }] } },
  { "kind": "Service", "metadata": { "namespace": "default", "name": "web" },
    "spec": { "type": "LoadBalancer", "externalTrafficPolicy": "Cluster",
      "ports": [{ "protocol": "TCP", "port": 80, "nodePort": 30080 }] },
    "status": { "loadBalancer": { "ingress": [{ "ip": "198.51.100.10" }] } } },
  { "kind": "EndpointSlice", "metadata": { "namespace": "default", "name": "web-1",
      "labels": { "kubernetes.io/service-name": "web" } }, "addressType": "IPv4",
    "endpoints": [{ "addresses": ["10.244.1.2"], "nodeName": "n1", "conditions": { "ready": true } }],
    "ports": [{ "protocol": "TCP", "port": 8080 }] }
] }
END
cat >/etc/eiproute/gateway.yaml <<'END'
source: { file: /run/cluster.json }
lan: eth0
uplink: eth1
pools: [{ name: public, ${mode}addresses: [198.51.100.0/24, "2001:db8:e::/64"] }]
END
printf '# eips: []\\n' >/etc/eiproute/node.yaml
for pass in 1 2 3; do
  eiproute plan --commands --config /etc/eiproute/gateway.yaml >/run/plan 2>/run/said || true
  sh -e /run/plan >/dev/null
done
ip route show 198.51.100.10 | grep -q nhid`;
}

describe('the package, when it is purged', () => {
  before(function () {
    needRoot(this);
  });

  const hosts: readonly (readonly [what: string, install: string])[] = [
    ['a node', node],
    ['a gateway', gateway('')],
    ['a gateway in mode nat', gateway('mode: nat, ')],
  ];
  for (const [what, install] of hosts) {
    it(`takes along all that ${what} had in the kernel, its tables of nftables as well`, async () => {
      const argv = ['unshare', '--mount', '--net', 'sh', '-c', `${host}\n${install}\n${purge}`];
      const { status, out, err } = await outcome({ argv });
      expect(out, err).to.equal('');
      expect(err).to.equal('');
      expect(status).to.equal(0);
    });
  }
});
