import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { inside } from '../lab/process/namespace.ts';
import { ipBatch } from '../lab/process/run.ts';
import { GatewayHost, serviceOn, standardWorld } from '../test/e2e/gateway-host.ts';
import { Bird, eventually, Frr } from '../test/e2e/routing-daemons.ts';
import { tied } from '../test/e2e/tied.ts';
import { eipOf } from './runs/world.ts';
import { median, table } from './table.ts';

/** A quarter of an hour; EIPROUTE_SIZES=1000 measures less. */
const sizes = (process.env['EIPROUTE_SIZES'] ?? '1000,10000,100000').split(',').map(Number);
const rounds = 60;
/** ms without progress after which the rest is lost: longer than BIRD's scan, which finds what notifications missed */
const patience = 75_000;
const here = '203.0.113.1';
const there = '203.0.113.254';

/** A routing daemon on the gateway, and one of its kind upstream. */
interface Kind {
  readonly name: string;
  readonly upstream: (place: Parameters<typeof Bird.start>[0]) => Promise<Bird | Frr>;
  readonly gateway: (host: GatewayHost, place: Parameters<typeof Bird.start>[0]) => Promise<Bird | Frr>;
  /** In `ip monitor` of the gateway: what the daemon reads of an EIP. */
  readonly written: (line: string) => boolean;
}

const kinds: readonly Kind[] = [
  {
    name: 'BIRD',
    upstream: (place) =>
      Bird.start(
        place,
        `router id ${there};
protocol device { }
protocol kernel k4 { ipv4 { import none; export all; }; }
protocol bgp below { local as 65000; neighbor ${here} as 65001; passive; ipv4 { import all; export none; }; }
`,
      ),
    gateway: async (host, place) => {
      const include = join(host.folder, 'eips.conf');
      await writeFile(include, (await host.eiproute('bird')).out);
      return Bird.start(
        place,
        `router id ${here};
protocol device { }
include "${include}";
protocol bgp up4 { local as 65001; neighbor ${there} as 65000;
  connect delay time 1; connect retry time 1; error wait time 0, 0;
  ipv4 { table eip4; import none; export filter eip_out; next hop self; }; }
`,
      );
    },
    written: (line) => line.includes('blackhole '),
  },
  {
    name: 'FRR',
    upstream: (place) =>
      Frr.start(
        place,
        `router bgp 65000
 bgp router-id ${there}
 no bgp ebgp-requires-policy
 neighbor ${here} remote-as 65001
 neighbor ${here} timers connect 1
`,
      ),
    gateway: async (host, place) =>
      Frr.start(
        place,
        `${(await host.eiproute('frr')).out}router bgp 65001
 bgp router-id ${here}
 no bgp ebgp-requires-policy
 neighbor ${there} remote-as 65000
 neighbor ${there} timers connect 1
 address-family ipv4 unicast
  redistribute kernel route-map EIP4
`,
      ),
    written: (line) => line.includes(' nhid '),
  },
];

/** What the way from the announcement to the router's kernel costs, with the includes that eiproute prints. */
export async function announce(): Promise<string> {
  const columns: (readonly string[])[] = [];
  for (const size of sizes)
    for (const kind of kinds) {
      columns.push([size.toLocaleString('en'), kind.name, ...(await column(kind, size))]);
      process.stderr.write(`${columns.at(-1)?.join('; ')}\n`);
    }
  const heads = [
    'EIPs',
    '',
    'eiproute starts -> kernel has all, s',
    "-> router's kernel has all, s",
    'arrived',
    'routing daemon, MiB',
    "one more EIP: kernel -> router's kernel, ms",
    '99 %',
    "API server -> router's kernel, ms",
    '99 %',
    "one less: kernel -> router's kernel, ms",
    '99 %',
    "routing daemon starts -> router's kernel, s",
    'arrived',
  ];
  return [
    'EIPs announced by BGP, one gateway, a routing daemon on it and the same one on the router; one run each',
    table(heads.map((head, i) => [head, ...columns.map((cells) => cells[i] ?? '')])),
  ].join('\n');
}

async function column(kind: Kind, size: number): Promise<readonly string[]> {
  const eips = Array.from({ length: size }, (_, i) => eipOf(i));
  await using host = await GatewayHost.make({
    world: [...standardWorld.slice(0, 3), ...eips.flatMap((eip, i) => serviceOn(`s${i}`, [eip]))],
    pools: '[198.18.0.0/15]',
    settings: 'announce: true\nhashSeed: 1\npace: { resync: 1h }',
  });
  const router = host.namespace.replace(/gateway$/, 'router');
  await ipBatch([], [`netns add ${router}`]);
  await host.ip(`link set eth1-far netns ${router} name eth1`);
  await ipBatch(['-n', router], ['link set lo up', `address add ${there}/24 dev eth1`, 'link set eth1 up']);
  const routesThere = prefixes(router);
  await using upstream = await kind.upstream({ namespace: router, folder: join(host.folder, 'router') });
  await using daemon = await kind.gateway(host, {
    namespace: host.namespace,
    folder: join(host.folder, 'routing'),
  });
  await eventually('there is a session', async () =>
    upstream instanceof Bird
      ? (await upstream.ask('show protocols below')).includes('Established')
      : /"state":"Established"/.test(await upstream.ask('show bgp ipv4 unicast summary json')),
  );
  const start = performance.now();
  const gateway = host.launch();
  let inKernel: number | undefined;
  const own = host.synced(gateway).then(() => {
    inKernel = performance.now() - start;
  });
  const first = await arrival(router, routesThere, size);
  await own;
  const memory = daemon.pids.reduce((sum, pid) => sum + resident(pid), 0);
  const { more, whole, less } = await oneMore(kind, host, router);
  const again = await restarted(daemon, router, routesThere, size);
  return [
    ((inKernel ?? 0) / 1000).toFixed(2),
    (first.ms / 1000).toFixed(2),
    first.count.toLocaleString('en'),
    memory.toFixed(0),
    ...spread(more),
    ...spread(whole),
    ...spread(less),
    (again.ms / 1000).toFixed(2),
    again.count.toLocaleString('en'),
  ];
}

interface Arrival {
  /** Until the last route that came. */
  readonly ms: number;
  readonly count: number;
}

/** Waits until the router's kernel has all routes, or no more come. */
async function arrival(router: string, before: number, size: number): Promise<Arrival> {
  const start = performance.now();
  let last = { ms: 0, count: 0 };
  while (last.count < size && performance.now() - start - last.ms < patience) {
    const count = prefixes(router) - before;
    if (count !== last.count) last = { ms: performance.now() - start, count };
    await sleep(10);
  }
  return last;
}

/** It is killed, and starts when the router has withdrawn what it announced. */
async function restarted(daemon: Bird | Frr, router: string, before: number, size: number): Promise<Arrival> {
  await daemon.kill();
  await eventually('the router has no EIP', async () => prefixes(router) === before);
  const [all] = await Promise.all([
    arrival(router, before, size),
    daemon instanceof Bird ? daemon.again() : daemon.begin(),
  ]);
  return all;
}

interface Ways {
  /** ms from the kernel of the gateway to that of the router, of an EIP that comes */
  readonly more: readonly number[];
  /** The same from the write in the API server. */
  readonly whole: readonly number[];
  /** Of one that goes. */
  readonly less: readonly number[];
}

async function oneMore({ written }: Kind, host: GatewayHost, router: string): Promise<Ways> {
  const eip = '198.19.255.254';
  using ours = new Monitor(host.namespace, (line) => line.includes(`${eip} `) && written(line));
  using theirs = new Monitor(router, (line) => line.includes(`${eip} `));
  const ways = { more: [] as number[], whole: [] as number[], less: [] as number[] };
  // The monitors hear from some time on; what they had not heard by then they never will.
  await sleep(500);
  for (let i = 0; i < rounds; i += 1) {
    const come = [ours.next(), theirs.next()] as const;
    const put = performance.timeOrigin + performance.now();
    host.put(...serviceOn('more', [eip]));
    const [there, elsewhere] = await Promise.all(come);
    ways.more.push(elsewhere - there);
    ways.whole.push(elsewhere - put);
    await sleep(100);
    const go = [ours.next(), theirs.next()] as const;
    host.delete('Service', 'more');
    const [left, lost] = await Promise.all(go);
    ways.less.push(lost - left);
    await sleep(100);
  }
  return ways;
}

/** `ip -ts monitor route` of a namespace. */
class Monitor implements Disposable {
  readonly #child: ChildProcess;
  #waiting: ((at: number) => void) | undefined;

  constructor(namespace: string, isMeant: (line: string) => boolean) {
    // Before all other programs: else two busy cores let it hear late of what has long happened.
    const argv = ['chrt', '--fifo', '50', 'ip', '-n', namespace, '-ts', '-o', 'monitor', 'route'];
    this.#child = tied(argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    const { stdout } = this.#child;
    if (stdout === null) throw new Error('no pipe from ip monitor');
    createInterface({ input: stdout }).on('line', (line) => {
      const [, second = '', fraction = ''] = /^\[([^.\]]+)\.(\d+)\]/.exec(line) ?? [];
      if (isMeant(line)) this.#waiting?.(Date.parse(`${second}Z`) + Number(`0.${fraction}`) * 1000);
    });
  }

  /** When the next line came that is meant, in ms. */
  next(): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#waiting = resolve;
    return promise;
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }
}

function spread(times: readonly number[]): readonly string[] {
  const sorted = times.toSorted((a, b) => a - b);
  return [median(times).toFixed(2), (sorted[Math.ceil(sorted.length * 0.99) - 1] ?? 0).toFixed(1)];
}

/** How many IPv4 routes the main table of a namespace has. */
function prefixes(namespace: string): number {
  const text = inside(namespace, () => readFileSync('/proc/thread-self/net/fib_triestat', 'utf8'));
  const [, main = ''] = /^Main:\n([\s\S]*?)(?=^\S|$(?![\s\S]))/m.exec(text) ?? [];
  return Number(/Prefixes: +(\d+)/.exec(main)?.[1] ?? 0);
}

/** MiB */
function resident(pid: number): number {
  return Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
}
