import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { NatRun } from './runs/nat.ts';
import { nodes } from './runs/nat-forms.ts';
import { median, table } from './table.ts';

const sizes = [10, 1000, 10_000];
const mac = '02:00:00:00:00:01';

/** The forms in the order of the table, with the sizes at which they are tried. */
const rows: readonly (readonly [name: string, sizes: readonly number[]])[] = [
  // Each call reads and checks what is there: at 10,000 it takes minutes.
  ['iptables, a call for each rule', [10, 1000]],
  ['iptables-restore', [10_000]],
  ['a chain for each port', sizes],
  ['eiproute', sizes],
];

/** A client, this namespace as the gateway, and nodes that drop what comes: it is for a MAC that none of them has. */
const stage = `
  set -e
  mount -t tmpfs eip-bench /run/netns
  ip netns add client
  ip netns add nodes
  ip link add eth1 address ${mac} type veth peer name eth0 netns client
  ip link add eth0 type veth peer name eth0 netns nodes
  ip -n client link set eth0 up
  ip -n nodes link set eth0 up
  ip link set lo up
  ip link set eth0 up
  ip link set eth1 up
  ip address add 10.0.0.1/24 dev eth0
  ip route add 198.19.0.0/16 dev eth1
${nodes.map((ip, i) => `  ip neighbour add ${ip} lladdr 02:00:00:00:01:${11 + i} dev eth0 nud permanent\n`).join('')}
  ip route add $route
  echo 1 >/proc/sys/net/ipv4/ip_forward
  echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter
  echo 0 >/proc/sys/net/ipv4/conf/eth1/rp_filter
  exec "$@"`;

/** One run, in namespaces of its own. */
function run(packets: string, name: string, ports: number): NatRun {
  const script = fileURLToPath(new URL('runs/nat.ts', import.meta.url));
  const argv = ['--net', '--mount', '--propagation', 'private', 'sh', '-c', stage, 'stage'];
  // What no rule has translated is not forwarded, and the run fails.
  const route = name === 'routed, no NAT' ? '198.18.0.0/16 via 10.0.0.11' : 'unreachable 198.18.0.0/16';
  const output = execFileSync(
    'unshare',
    [...argv, process.execPath, script, name, String(ports), packets, mac],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, route } },
  );
  return JSON.parse(output);
}

/** NAT by the form of its rules: what it costs to load, to change, to keep, and for each packet. */
export function nat(): string {
  const cache = fileURLToPath(new URL('../.cache/', import.meta.url));
  mkdirSync(cache, { recursive: true });
  const packets = `${cache}packets`;
  const source = fileURLToPath(new URL('c/packets.c', import.meta.url));
  execFileSync('cc', ['-O2', '-o', packets, source], { stdio: 'inherit' });
  const [version = ''] = execFileSync('iptables', ['-V'], { encoding: 'utf8' }).split('\n');
  const thousands = (rates: readonly number[]): string => (median(rates) / 1000).toFixed(0);
  const cells = ({ fresh, known }: NatRun): readonly string[] => [thousands(fresh), thousands(known)];
  const found = sizes.flatMap((ports) =>
    rows
      .filter(([, at]) => at.includes(ports))
      .map(([name]) => {
        const all = Array.from({ length: 3 }, () => run(packets, name, ports));
        const of = (part: 'load' | 'more' | 'memory'): number => median(all.map((one) => one[part]));
        const fresh = all.flatMap((one) => one.fresh);
        const known = all.flatMap((one) => one.known);
        return [
          name,
          ports.toLocaleString('en'),
          of('load').toFixed(0),
          of('more').toFixed(0),
          (of('memory') / 2 ** 20).toFixed(1),
          thousands(fresh),
          thousands(known),
        ];
      }),
  );
  const bare = ['the sender alone', 'routed, no NAT'].map((name) => [
    name,
    '',
    '',
    '',
    '',
    ...cells(run(packets, name, 1000)),
  ]);
  return [
    `nat: NAT to the NodePorts of ${nodes.length} nodes by the form of its rules (${version})`,
    table([
      ['', 'ports', 'load, ms', 'one more, ms', 'kernel, MB', 'new flows, k/s', 'known flows, k/s'],
      ...bare,
      ...found,
    ]),
    'k/s: thousand packets of 60 bytes in a second of processor time of one core, which sends and forwards them.',
    'kernel: what SUnreclaim, VmallocUsed and Percpu of /proc/meminfo grow by; medians of 3, and others on the machine disturb it.',
  ].join('\n');
}
