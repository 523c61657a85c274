import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { pools } from '../lab/network/map.ts';
import type { Process } from '../lab/process/process.ts';
import { within } from '../lab/process/run.ts';
import type { Ip } from '../src/model/ip.ts';
import { type Bfd, ownBird, upstreamBird } from '../test/e2e/bird-configurations.ts';
import { deaf, keepalived, shared } from '../test/e2e/keepalived-configuration.ts';
import { Bird, eventually, startKeepalived } from '../test/e2e/routing-daemons.ts';
import { tied } from '../test/e2e/tied.ts';
import { local, type Part, parts, TwoGateways } from '../test/e2e/two-gateways.ts';
import { table } from './table.ts';

/** IPv4, from sixteen clients. */
const flows = 120;
/** ms that each state of a case is watched */
const watched = 3000;
/** What docs/high-availability.md recommends. */
const bfd: Bfd = { interval: 100, multiplier: 3 };

/** What announces the EIPs to the router, beside each gateway. */
interface Announcer extends AsyncDisposable {
  readonly two: TwoGateways;
  /** New connections go there in turn. */
  readonly to: readonly Ip[];
  /** All is as it was before a case. */
  settled(): Promise<void>;
  /** The gateway that something happens to: with VRRP, the one that has the address. */
  victim(): Promise<Part>;
  /** Everything is routed again by a gateway that starts. */
  started(part: Part): Promise<void>;
  /** The routing daemon of a gateway. */
  kill(part: Part): Promise<void>;
  again(part: Part): Promise<void>;
  signal(part: Part, name: 'SIGSTOP' | 'SIGCONT'): void;
}

interface Column {
  readonly name: string;
  readonly open: () => Promise<Announcer>;
}

const columns: readonly Column[] = [
  { name: 'BGP', open: () => Bgp.open(false) },
  { name: 'BGP, the API away', open: () => Bgp.open(true) },
  { name: 'VRRP', open: () => Vrrp.open() },
];

/** Something that happens to a gateway, and its end. */
interface Case {
  readonly name: string;
  readonly happens: (of: Announcer, victim: Part) => Promise<void>;
  /** undefined: it is over by itself */
  readonly ends?: (of: Announcer, victim: Part) => Promise<void>;
}

const cases: readonly Case[] = [
  {
    name: 'a gateway is drained, and undrained',
    happens: async ({ two }, victim) => {
      await two.eiproute(victim, 'drain');
    },
    ends: async ({ two }, victim) => {
      await two.eiproute(victim, 'undrain');
    },
  },
  {
    name: 'a gateway loses its power, and has it again',
    happens: async (of, victim) => {
      for (const port of [victim, `${victim}-up`]) await of.two.net.unplug(port);
      await of.two.kill(victim);
      await of.kill(victim);
    },
    ends: async (of, victim) => {
      await of.two.ip(victim, `address flush dev eth1 to ${shared}/32`);
      for (const port of [victim, `${victim}-up`]) await of.two.net.plug(port);
      await of.two.start(victim);
      await of.started(victim);
      await of.again(victim);
    },
  },
  {
    name: 'a gateway hangs with its links up, and goes on',
    happens: async (of, victim) => {
      for (const port of [victim, `${victim}-up`]) await switchPort(of, port, 'nomaster');
      of.two.signal(victim, 'SIGSTOP');
      of.signal(victim, 'SIGSTOP');
    },
    ends: async (of, victim) => {
      of.two.signal(victim, 'SIGCONT');
      of.signal(victim, 'SIGCONT');
      await switchPort(of, victim, 'master lan');
      await switchPort(of, `${victim}-up`, 'master uplink');
    },
  },
  {
    name: 'the uplink of a gateway is cut, and mended',
    happens: ({ two }, victim) => two.net.unplug(`${victim}-up`),
    ends: ({ two }, victim) => two.net.plug(`${victim}-up`),
  },
  {
    name: 'the LAN of a gateway is cut, and mended',
    happens: ({ two }, victim) => two.net.unplug(victim),
    ends: ({ two }, victim) => two.net.plug(victim),
  },
  {
    name: 'both uplinks flap in turn, half a second each, three times',
    happens: async ({ two }) => {
      for (let i = 0; i < 3; i += 1)
        for (const part of parts) {
          await two.net.unplug(`${part}-up`);
          await sleep(500);
          await two.net.plug(`${part}-up`);
          await sleep(500);
        }
    },
  },
  {
    name: 'the gateways do not hear each other, and do again',
    happens: async ({ two }) => {
      for (const part of parts) await two.net.run(part, { argv: ['nft', '-f', '-'], input: deaf });
    },
    ends: async ({ two }) => {
      for (const part of parts) await two.net.run(part, { argv: ['nft', 'delete table ip eip-deaf'] });
    },
  },
  {
    name: 'eiproute is killed, and starts again',
    happens: ({ two }, victim) => two.kill(victim),
    ends: ({ two }, victim) => two.start(victim),
  },
  {
    name: 'the routing daemon is killed, and starts again',
    happens: (of, victim) => of.kill(victim),
    ends: (of, victim) => of.again(victim),
  },
];

/** What `ip link set` does with the switch's end of a cable: without a bridge nothing passes, and the carrier stays. */
async function switchPort({ two }: Announcer, port: string, how: string): Promise<void> {
  await two.ip('switch', `link set ${port} ${how}`);
}

/** What fails when something happens to one of two gateways. */
export async function gateways(): Promise<string> {
  const results: string[][] = [];
  const only = process.env['EIPROUTE_CASES']?.split(',');
  const chosen = cases.filter((_, i) => only?.includes(String(i + 1)) ?? true);
  for (const { name, open } of columns) {
    await using announcer = await open();
    await using upstream = new UpstreamRoutes(announcer.two);
    const column: string[] = [];
    for (const each of chosen) {
      column.push(await measure(announcer, upstream, each));
      process.stderr.write(`${name}: ${each.name}: ${column.at(-1)}\n`);
    }
    results.push(column);
  }
  return [
    `two gateways; BGP: BIRD, both active, BFD ${bfd.interval} ms x ${bfd.multiplier}; VRRP: keepalived, advert_int 0.1`,
    `new connections that failed, of those sent; the longest time without an answer, ms; flows broken, of ${flows};`,
    "changes of the EIPs' routes in the router's kernel",
    table([
      ['', ...columns.map(({ name }) => name)],
      ...chosen.map(({ name }, i) => [name, ...results.map((column) => column[i] ?? '')]),
    ]),
  ].join('\n');
}

async function measure(of: Announcer, upstream: UpstreamRoutes, { happens, ends }: Case): Promise<string> {
  const { two } = of;
  await of.settled();
  const victim = await of.victim();
  await two.open(flows);
  await using load = two.load(...of.to);
  const speak = async (ms: number): Promise<void> => {
    for (let past = 0; past < ms; past += 500) {
      await two.flows.send();
      await sleep(500);
    }
  };
  await speak(1000);
  upstream.changes = 0;
  const start = Date.now();
  await Promise.all([happens(of, victim), speak(watched)]);
  await Promise.all([ends?.(of, victim), speak(watched)]);
  const { sent, lost, gap } = await load.stop(start);
  await sleep(1500);
  const stuck = await two.flows.stuck();
  return `${lost} of ${sent}, ${Math.round(gap)}, ${stuck.length}, ${upstream.changes}`;
}

/** Counts what the router's kernel is told about the EIPs. */
class UpstreamRoutes implements AsyncDisposable {
  changes = 0;
  readonly #monitor: ReturnType<typeof tied>;

  constructor({ net }: TwoGateways) {
    const argv = within(net.namespace('upstream'), ['ip', '-o', 'monitor', 'route']);
    this.#monitor = tied(argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    const { stdout } = this.#monitor;
    if (stdout === null) throw new Error('no pipe from ip monitor');
    const ours = [local.v4, local.v6].map((ip) => `${ip} `);
    createInterface({ input: stdout }).on('line', (line) => {
      if (ours.some((ip) => line.includes(ip))) this.changes += 1;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#monitor.kill('SIGKILL');
  }
}

/** BIRD beside each gateway and on the router; both announce. */
class Bgp implements Announcer {
  readonly two: TwoGateways;
  readonly to: readonly Ip[] = [local.v4, local.v6];
  readonly #birds: ReadonlyMap<Part, Bird>;
  readonly #stack: AsyncDisposableStack;

  readonly #isApiAway: boolean;

  private constructor(
    two: TwoGateways,
    birds: ReadonlyMap<Part, Bird>,
    isApiAway: boolean,
    stack: AsyncDisposableStack,
  ) {
    this.#isApiAway = isApiAway;
    this.two = two;
    this.#birds = birds;
    this.#stack = stack;
  }

  static async open(isApiAway: boolean): Promise<Bgp> {
    await using stack = new AsyncDisposableStack();
    const two = stack.use(
      await TwoGateways.lay({ lines: () => 'announce: true\nhashSeed: 7361', hasApi: isApiAway }),
    );
    stack.use(await Bird.start(two.place('upstream', 'bird'), upstreamBird(bfd)));
    const birds = new Map<Part, Bird>();
    for (const part of parts) {
      const include = join(two.folder(part), 'eips.conf');
      await writeFile(include, (await two.eiproute(part, 'bird')).out);
      birds.set(part, stack.use(await Bird.start(two.place(part, 'bird'), ownBird(part, include, bfd))));
    }
    await two.readLinkLocals();
    await two.know();
    if (isApiAway) await two.stopApi();
    return new Bgp(two, birds, isApiAway, stack.move());
  }

  async settled(): Promise<void> {
    for (const family of ['v4', 'v6'] as const) await this.two.leads('gateway gateway2', family);
  }

  async victim(): Promise<Part> {
    return 'gateway';
  }

  /** Without an API a start is never synced: it routes what it remembers. */
  async started(part: Part): Promise<void> {
    if (!this.#isApiAway) await this.two.synced(part);
    await this.two.know();
  }

  async kill(part: Part): Promise<void> {
    await this.#birds.get(part)?.kill();
  }

  async again(part: Part): Promise<void> {
    await this.#birds.get(part)?.again();
  }

  signal(part: Part, name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#birds.get(part)?.signal(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
  }
}

/** keepalived moves an address of the uplink, to which the router has a static route. */
class Vrrp implements Announcer {
  readonly two: TwoGateways;
  readonly to: readonly Ip[] = [local.v4];
  readonly #daemons = new Map<Part, Process>();

  private constructor(two: TwoGateways) {
    this.two = two;
  }

  static async open(): Promise<Vrrp> {
    const lines = `announce: true\nhashSeed: 7361\nactive: { address: ${shared} }`;
    const vrrp = new Vrrp(await TwoGateways.lay({ lines: () => lines }));
    await vrrp.two.ip('upstream', `route add ${pools[0]} via ${shared} dev eth1`);
    for (const part of parts) await vrrp.again(part);
    return vrrp;
  }

  async settled(): Promise<void> {
    await eventually('one gateway has the address', async () => {
      const states = await Promise.all(parts.map((part) => this.#state(part)));
      return states.toSorted().join(' ') === 'announced standby';
    });
    await this.two.know();
  }

  async victim(): Promise<Part> {
    return (await this.#state('gateway')) === 'announced' ? 'gateway' : 'gateway2';
  }

  async started(part: Part): Promise<void> {
    await this.two.synced(part);
    await this.two.know();
  }

  async kill(part: Part): Promise<void> {
    this.#daemons.get(part)?.signal('SIGKILL');
    await this.#daemons.get(part)?.ended;
  }

  async again(part: Part): Promise<void> {
    const configuration = keepalived(part, { advert: 0.1, lines: ['track_interface { eth0 }'] });
    this.#daemons.set(part, await startKeepalived(this.two.place(part, 'keepalived'), configuration));
  }

  signal(part: Part, name: 'SIGSTOP' | 'SIGCONT'): void {
    this.#daemons.get(part)?.signal(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#daemons.values()) await daemon[Symbol.asyncDispose]();
    await this.two[Symbol.asyncDispose]();
  }

  async #state(part: Part): Promise<string | undefined> {
    return (await this.two.status(part)).announce?.ipv4?.state;
  }
}
