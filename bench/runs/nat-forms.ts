import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fillBuckets } from '../../src/desire/buckets.ts';
import { natFrame } from '../../src/desire/nat-frame.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { defaultNat } from '../../src/model/gateway.ts';
import { type Ip, parseIp } from '../../src/model/ip.ts';
import { bucketCount } from '../../src/model/nat.ts';
import type { Change, NatEip, NatGroup } from '../../src/model/object.ts';
import { gateway } from '../../test/scene.ts';

/** A way to have NAT from EIPs to NodePorts in the kernel. */
export interface Form {
  /** Makes the rules for so many ports, each of an EIP of its own. */
  load(ports: number): void | Promise<void>;
  /** One port more than `load` has made. */
  more(ports: number): void | Promise<void>;
}

export const formNames = [
  'routed, no NAT',
  'iptables, a call for each rule',
  'iptables-restore',
  'a chain for each port',
  'eiproute',
] as const;
export type FormName = (typeof formNames)[number];

export const nodes: readonly Ip[] = Array.from({ length: 10 }, (_, i) => parseIp(`10.0.0.${11 + i}`));

/** The n-th EIP, as bench/c/packets.c counts them. */
function eipOf(n: number): Ip {
  return parseIp(`198.18.${Math.floor(n / 250)}.${1 + (n % 250)}`);
}

function each<T>(ports: number, make: (n: number) => T): readonly T[] {
  return Array.from({ length: ports }, (_, n) => make(n));
}

function run([program = '', ...args]: readonly string[], input = ''): void {
  execFileSync(program, args, { input, stdio: ['pipe', 'ignore', 'inherit'], maxBuffer: 1 << 26 });
}

const masquerade = ['-A', 'POSTROUTING', '-j', 'MASQUERADE'];

/** The recipe of the seed: a rule for each port, to one node, and MASQUERADE for all. */
function recipeRule(n: number): readonly string[] {
  const to = `${nodes[n % nodes.length]}:30080`;
  return [
    '-A',
    'PREROUTING',
    '-p',
    'udp',
    '-d',
    eipOf(n),
    '--dport',
    '80',
    '-j',
    'DNAT',
    '--to-destination',
    to,
  ];
}

const recipe: Form = {
  load(ports) {
    for (const rule of [...each(ports, recipeRule), masquerade]) run(['iptables', '-t', 'nat', ...rule]);
  },
  more: (ports) => run(['iptables', '-t', 'nat', ...recipeRule(ports)]),
};

const restored: Form = {
  load(ports) {
    const rules = [...each(ports, recipeRule), masquerade].map((rule) => `${rule.join(' ')}\n`);
    run(['iptables-restore', '--noflush'], `*nat\n${rules.join('')}COMMIT\n`);
  },
  more: recipe.more,
};

function chainOf(n: number): string {
  const map = nodes.map((ip, i) => `${i} : ${ip} . 30080`).join(', ');
  const rule = `meta l4proto udp dnat ip addr . port to jhash ip saddr mod ${nodes.length} map { ${map} }`;
  return ` chain p${n} {\n  ${rule}\n }\n`;
}

function elementOf(n: number): string {
  return `${eipOf(n)} . 80 : goto p${n}`;
}

/** A chain for each port, with a map of its nodes. */
const perPort: Form = {
  load(ports) {
    run(
      ['nft', '-f', '-'],
      `table ip nat {
${each(ports, chainOf).join('')} map service {
  type ipv4_addr . inet_service : verdict
  elements = { ${each(ports, elementOf).join(', ')} }
 }
 chain prerouting {
  type nat hook prerouting priority dstnat
  ip daddr . udp dport vmap @service
 }
}
`,
    );
  },
  more(ports) {
    const element = `add element ip nat service { ${elementOf(ports)} }`;
    run(['nft', '-f', '-'], `table ip nat {\n${chainOf(ports)}}\n${element}\n`);
  },
};

const { seed } = defaultNat;
const groupId = 260_000_001;

function eip(n: number): NatEip {
  const port = {
    protocol: 'udp',
    port: 80,
    nodePort: 30_080,
    group: groupId,
    affinity: 'address',
    ranges: undefined,
  } as const;
  return { kind: 'nat-eip', eip: eipOf(n), protocol: 86, ports: [port], intact: true };
}

/** What the daemon calls: objects go through the kernel's port. */
async function ours(): Promise<Form> {
  const frame = natFrame(gateway({ mode: 'nat', lan: 'eth0', uplink: 'eth1' }));
  if (frame === undefined) throw new Error('no frame');
  const weighed = nodes.map((ip) => ({ ip, weight: 1 }));
  const buckets = fillBuckets(weighed, bucketCount, seed);
  const group: NatGroup = {
    kind: 'nat-group',
    id: groupId,
    protocol: 86,
    family: 4,
    buckets,
    seed,
    intact: true,
  };
  const kernel = await LinuxKernel.open(join(tmpdir(), `eip-bench-${process.pid}`));
  const { signal } = new AbortController();
  const add = async (objects: readonly (typeof frame | NatGroup | NatEip)[]): Promise<void> => {
    const changes = objects.map((want): Change => ({ verb: 'add', want }));
    const refused = (await kernel.apply(changes, signal)).find((outcome) => outcome !== undefined);
    if (refused) throw refused;
  };
  return {
    async load(ports) {
      await add([frame]);
      await add([group, ...each(ports, eip)]);
    },
    more: (ports) => add([eip(ports)]),
  };
}

const nothing: Form = { load: () => undefined, more: () => undefined };

export async function formOf(name: FormName): Promise<Form> {
  switch (name) {
    case 'routed, no NAT':
      return nothing;
    case 'iptables, a call for each rule':
      return recipe;
    case 'iptables-restore':
      return restored;
    case 'a chain for each port':
      return perPort;
    case 'eiproute':
      return await ours();
    default:
      return name satisfies never;
  }
}
