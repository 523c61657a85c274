import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type MemoryConfigMap, memoryConfigMap } from '../../../lab/fake/memory-config-map.ts';
import type { ConfigMapPort } from '../../../src/cluster/config-map.ts';
import { ApiError } from '../../../src/cluster/transport.ts';
import type { FollowTerms, NodeConfig } from '../../../src/config/config.ts';
import { readNodeConfig } from '../../../src/config/load-node.ts';
import { Following, type NodeContext } from '../../../src/daemon/following.ts';
import type { NodeAgent } from '../../../src/model/node-agent.ts';
import type { Link } from '../../../src/model/object.ts';
import { publicationText, readPublication } from '../../../src/model/publication.ts';
import { eth0 } from '../../scene.ts';

const both = [eth0('10.0.0.11/24', '2001:db8:10::11/64')];

interface Gateway {
  readonly pools?: Readonly<Record<string, readonly string[]>>;
  readonly lan?: readonly string[];
  readonly state?: string;
}
/** The value of a gateway, as it publishes it. */
const value = (
  id: string,
  { pools = { public: ['198.51.100.0/24'] }, lan = [], state = 'active' }: Gateway,
) =>
  publicationText(
    readPublication(
      JSON.stringify({
        version: 1,
        id,
        pools: Object.entries(pools).map(([name, networks]) => ({ name, networks })),
        lan,
        state,
      }),
    ),
  );
const gw1 = value('1', { lan: ['10.0.0.1', '2001:db8:10::1'] });
const gw2 = value('2', { lan: ['10.0.0.2', '2001:db8:10::2'], pools: { other: ['192.0.2.0/24'] } });

/** A node that follows; its ConfigMap is a fake. */
class Stage implements AsyncDisposable {
  readonly port: MemoryConfigMap = memoryConfigMap({ namespace: 'kube-system', name: 'eiproute' });
  readonly folder: string;
  readonly config: NodeConfig;
  links: readonly Link[] = both;
  agent: NodeAgent;
  #following: Following | undefined;
  #taken = (): void => {};
  #stop = new AbortController();
  #running: Promise<void> = Promise.resolve();

  private constructor(folder: string, text: string) {
    this.folder = folder;
    const request = { file: '/etc/eiproute/node.yaml', env: {}, flags: [], cwd: '/' };
    const result = readNodeConfig(Buffer.from(text), request);
    if (result.kind === 'refused') throw new Error(JSON.stringify(result.errors));
    this.config = result.config;
    this.agent = result.config.agent;
  }

  static async open(text = 'follow: true\n'): Promise<Stage> {
    const stage = new Stage(await mkdtemp(join(tmpdir(), 'eiproute-follow-')), text);
    await stage.start();
    return stage;
  }

  get #terms(): FollowTerms {
    if (this.config.follow === undefined) throw new Error('it does not follow');
    return this.config.follow;
  }

  get #context(): NodeContext {
    return { agent: this.config.agent, terms: this.#terms, links: this.links };
  }

  /** As a daemon at its start. */
  async start(): Promise<void> {
    const following = new Following(this.#terms, this.folder);
    await following.recall();
    this.#following = following;
    this.take();
    this.#stop = new AbortController();
    const changed = (): void => this.take();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#taken = resolve;
    this.#running = following.follow(
      this.#watched(),
      () => this.#context,
      changed,
      async () => {},
      this.#stop.signal,
    );
    await promise;
  }

  async restart(): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await this.start();
  }

  take(): void {
    if (this.#following) this.agent = this.#following.applied(this.#context);
  }

  async put(data: Readonly<Record<string, string>> | undefined, uid = 'u1'): Promise<void> {
    await this.disturb(() => this.port.put(data && { uid, data }));
  }

  /** Does something to the ConfigMap; resolves when the agent has taken what came of it. */
  async disturb(work: () => void): Promise<void> {
    const before = this.port.state;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#taken = resolve;
    work();
    if (this.port.state !== before) await promise;
  }

  /** The port, which says when whoever listens has come back for more. */
  #watched(): ConfigMapPort {
    const { port } = this;
    const taken = (): void => this.#taken();
    return {
      ...port,
      get state() {
        return port.state;
      },
      changes: (signal) => {
        const changes = port.changes(signal);
        return (async function* () {
          taken();
          for await (const change of changes) {
            yield change;
            taken();
          }
        })();
      },
    };
  }

  /** The problems: code and message. */
  get says(): string {
    return (this.#following?.problems() ?? []).map(({ code, message }) => `${code}: ${message}`).join('\n');
  }

  get gateways(): string {
    return this.agent.gateways
      .map(({ address, table, mark }) => `${address} ${table} ${mark >>> 20}`)
      .join(', ');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
    await rm(this.folder, { recursive: true });
  }
}

const two = '10.0.0.1 101 1, 2001:db8:10::1 101 1, 10.0.0.2 102 2, 2001:db8:10::2 102 2';
const all = ['192.0.2.0/24', '198.51.100.0/24'];

describe('an agent that follows', () => {
  it('serves the union of all pools, and has a table for each gateway', async () => {
    await using stage = await Stage.open();
    expect([stage.agent.eips, stage.agent.gateways]).to.deep.equal([[], []]);
    await stage.put({ gw1, gw2 });
    expect(stage.agent.eips).to.deep.equal(all);
    expect(stage.gateways).to.equal(two);
    expect(stage.says).to.equal('');
  });

  it('takes a third gateway, and keeps the tables of the others when the first one goes', async () => {
    await using stage = await Stage.open();
    const gw3 = value('3', { lan: ['10.0.0.3'] });
    await stage.put({ gw2 });
    await stage.put({ gw1, gw2 });
    await stage.put({ gw1, gw2, gw3 });
    expect(stage.gateways).to.equal(
      '10.0.0.2 101 1, 2001:db8:10::2 101 1, 10.0.0.1 102 2, 2001:db8:10::1 102 2, 10.0.0.3 103 3',
    );
    await stage.put({ gw1, gw3 });
    expect(stage.gateways).to.equal('10.0.0.1 102 2, 2001:db8:10::1 102 2, 10.0.0.3 103 3');
    await stage.restart();
    await stage.put({ gw1, gw2, gw3 });
    expect(stage.gateways).to.equal(
      '10.0.0.2 101 1, 2001:db8:10::2 101 1, 10.0.0.1 102 2, 2001:db8:10::1 102 2, 10.0.0.3 103 3',
    );
    await stage.put({ gw1: '', gw2, gw3 });
    expect(stage.gateways).to.equal('10.0.0.2 101 1, 2001:db8:10::2 101 1, 10.0.0.3 103 3');
  });

  const keeping: readonly (readonly [string, (stage: Stage) => Promise<void>, RegExp])[] = [
    ['the object is gone', (stage) => stage.put(undefined), /published-not-read: there is no ConfigMap/],
    ['the object is empty', (stage) => stage.put({}), /published-empty: no gateway has published/],
    ['the last gateways are taken out', (stage) => stage.put({ gw1: '', gw2: '' }), /published-empty/],
    [
      'the API is away',
      (stage) => stage.disturb(() => stage.port.fail(new Error('connection refused'))),
      /published-not-read: ConfigMap kube-system\/eiproute cannot be read: connection refused; what was published before/,
    ],
    [
      'it may not be read',
      (stage) => stage.disturb(() => stage.port.fail(new ApiError(403, 'forbidden'))),
      /published-not-read: .* HTTP 403: forbidden/,
    ],
    [
      'a value cannot be read',
      (stage) => stage.put({ gw1: 'garbage', gw2 }),
      /published-unreadable: what gateway gw1 has published .* it is no JSON; its last good value stays in force/,
    ],
    [
      'the object is made anew, and a gateway has not written yet',
      (stage) => stage.put({ gw1 }, 'u2'),
      /gateway-awaited: .*recreated, and gateway gw2 has not published in it; it stays/,
    ],
    [
      'a pool would cut the node off from its own network',
      (stage) =>
        stage.put({ gw1: value('1', { pools: { wrong: ['10.0.0.128/25'] }, lan: ['10.0.0.1'] }), gw2 }),
      /published-refused: .*10\.0\.0\.128\/25 of eips lies in 10\.0\.0\.0\/24/,
    ],
    [
      'a pool holds what is no EIP',
      (stage) => stage.put({ gw1: gw1.replace('"198.51.100.0/24"', '"198.51.100.0/24","127.0.0.0/8"'), gw2 }),
      /published-unreadable: .*127\.0\.0\.0\/8 of pool public holds addresses that no EIP can have \(loopback\); its last good/,
    ],
    [
      'there are more networks than a node takes',
      (stage) => {
        const networks = Array.from({ length: 1000 }, (_, i) => `203.0.${i >> 7}.${(i & 127) * 2}/32`);
        return stage.put({ gw1, gw2: value('2', { lan: ['10.0.0.2'], pools: { other: networks } }) });
      },
      /published-refused: .* is above the 1000 networks that a node takes/,
    ],
    [
      'a gateway is inside a pool',
      (stage) => stage.put({ gw1: value('1', { lan: ['198.51.100.7'] }), gw2 }),
      /published-refused: .*the gateway 198\.51\.100\.7 is inside a pool/,
    ],
  ];
  for (const [what, disturb, says] of keeping) {
    it(`keeps what it has when ${what}, over a restart as well, and says so`, async () => {
      await using stage = await Stage.open();
      await stage.put({ gw1, gw2 });
      await disturb(stage);
      const kept = (): void => {
        expect(stage.agent.eips).to.deep.equal(all);
        expect(stage.gateways).to.equal(two);
        expect(stage.says).to.match(says);
      };
      kept();
      await stage.restart();
      kept();
      await stage.put({ gw1, gw2 }, 'u9');
      expect(stage.says).to.equal('');
      await disturb(stage);
      await stage.put({ gw1, gw2 }, 'u9');
      expect(stage.says, 'as it was before').to.equal('');
    });
  }

  it('lets a gateway go that a new object lacks once its value is empty, or once it had it', async () => {
    await using stage = await Stage.open();
    await stage.put({ gw1, gw2 });
    await stage.put({ gw1 }, 'u2');
    expect(stage.gateways).to.equal(two);
    await stage.put({ gw1, other: 'x' }, 'u2');
    expect(stage.gateways, 'it was never in the new one').to.equal(two);
    await stage.put({ gw1, gw2: '' }, 'u2');
    expect(stage.gateways).to.equal('10.0.0.1 101 1, 2001:db8:10::1 101 1');
  });

  it('leaves out a key that was never a gateway, with a warning', async () => {
    await using stage = await Stage.open();
    await stage.put({ gw1, README: 'hello' });
    expect(stage.agent.eips).to.deep.equal(['198.51.100.0/24']);
    expect(stage.says).to.match(/^published-unreadable: what gateway README .* it is not followed$/);
  });

  describe('with a gateway whose pools have more networks than a node takes', () => {
    const networks = (count: number, of: (i: number) => string): readonly string[] =>
      Array.from({ length: count }, (_, i) => of(i));
    const four = networks(700, (i) => `203.${i >> 8}.${i & 255}.0/24`);
    const six = networks(700, (i) => `2001:db8:${(0x100 + i).toString(16)}::/48`);
    const many = value('1', { lan: ['10.0.0.1'], pools: { four, six } });

    it('takes those of the family that it has, and keeps them over a restart', async () => {
      await using stage = await Stage.open();
      stage.links = [eth0('10.0.0.11/24')];
      await stage.put({ gw1: many });
      await stage.restart();
      expect([stage.says, stage.agent.eips.length]).to.deep.equal(['', 700]);
    });

    it('takes what makes them fewer once the node has the other family, and no others', async () => {
      await using stage = await Stage.open();
      const lan = ['10.0.0.1', '2001:db8:10::1'];
      const of = (count: number) => value('1', { lan, pools: { four, six: six.slice(700 - count) } });
      stage.links = [eth0('10.0.0.11/24')];
      await stage.put({ gw1: of(600) });
      stage.links = both;
      stage.take();
      expect(stage.agent.eips).to.have.length(1300);
      await stage.put({ gw1: of(500) });
      expect([stage.says, stage.agent.eips.length]).to.deep.equal(['', 1200]);
      await stage.put({ gw1: of(501) });
      expect(stage.agent.eips).to.have.length(1200);
      expect(stage.says).to.match(/published-refused: .* is above the 1000 networks that a node takes/);
    });

    it('takes its address where the file names the networks', async () => {
      await using stage = await Stage.open("follow: true\neips: [203.0.0.0/10, '2001:db8::/36']\n");
      await stage.put({ gw1: many });
      expect([stage.says, stage.gateways]).to.deep.equal(['', '10.0.0.1 101 1']);
    });
  });

  describe('with a gateway that publishes what does not fit the node', () => {
    const overlapping = value('2', { lan: ['10.0.0.2'], pools: { wrong: ['10.0.0.128/25'] } });
    const moved = value('1', { lan: ['10.0.0.7'], pools: { public: ['203.0.113.0/24'] } });

    it('keeps that one as it was, and takes what the others publish', async () => {
      await using stage = await Stage.open();
      await stage.put({ gw1, gw2 });
      await stage.put({ gw1, gw2: overlapping });
      await stage.put({ gw1: moved, gw2: overlapping });
      expect(stage.gateways).to.equal('10.0.0.7 101 1, 10.0.0.2 102 2, 2001:db8:10::2 102 2');
      expect(stage.agent.eips).to.deep.equal(['192.0.2.0/24', '203.0.113.0/24']);
      expect(stage.says).to.match(
        /^published-refused: what gateway gw2 has published in .* is refused: .*10\.0\.0\.128\/25 .*; what it published before stays in force$/,
      );
      await stage.restart();
      expect(stage.gateways).to.equal('10.0.0.7 101 1, 10.0.0.2 102 2, 2001:db8:10::2 102 2');
      await stage.put({ gw1: moved, gw2 });
      expect(stage.says).to.equal('');
    });

    it('follows the others from the first look on, and lets go of who goes', async () => {
      await using stage = await Stage.open();
      await stage.put({ gw1, gw2: overlapping });
      expect(stage.gateways).to.equal('10.0.0.1 101 1, 2001:db8:10::1 101 1');
      expect(stage.says).to.match(/^published-refused: .*; it is not followed$/);
      await stage.put({ gw1, gw2 });
      await stage.put({ gw1: '', gw2: overlapping });
      expect(stage.gateways).to.equal('10.0.0.2 102 2, 2001:db8:10::2 102 2');
    });

    it('takes what corrects one, however many others overlap the same network', async () => {
      await using stage = await Stage.open();
      const cut = (id: string, network: string) =>
        value(id, { lan: [`10.0.0.${id}`], pools: { cut: [network] } });
      await stage.put({ gw1: cut('1', '192.168.7.0/26'), gw2: cut('2', '192.168.7.64/26') });
      // Only now is the network there.
      stage.links = [eth0('10.0.0.11/24', '192.168.7.200/24')];
      await stage.put({ gw1, gw2: cut('2', '192.168.7.64/26') });
      expect(stage.agent.eips).to.deep.equal(['192.168.7.64/26', '198.51.100.0/24']);
      expect(stage.says).to.equal('');
      await stage.put({ gw1: cut('1', '192.168.7.128/26'), gw2: cut('2', '192.168.7.64/26') });
      expect(stage.agent.eips).to.deep.equal(['192.168.7.64/26', '198.51.100.0/24']);
      expect(stage.says).to.match(/^published-refused: what gateway gw1 .*192\.168\.7\.128\/26 .*$/);
    });

    it('takes a change that one of the others makes room for, whatever their order', async () => {
      const networks = (count: number, third: number): readonly string[] =>
        Array.from({ length: count }, (_, i) => `203.0.${third + (i >> 7)}.${(i & 127) * 2}/32`);
      const of = (id: string, count: number) =>
        value(id, { lan: [`10.0.0.${id}`], pools: { own: networks(count, 20 * Number(id)) } });
      await using stage = await Stage.open();
      await stage.put({ gw1: of('1', 100), gw2: of('2', 900) });
      await stage.put({ gw1: of('1', 900), gw2: of('2', 100), gw3: overlapping });
      expect(stage.agent.eips).to.have.length(1000);
      expect(stage.agent.eips.filter((network) => network.startsWith('203.0.2'))).to.have.length(900);
      expect(stage.says).to.match(/^published-refused: what gateway gw3 [^\n]*$/);
    });
  });

  it('looks at a hundred keys beside the gateways that it knows, and says how many there are more', async () => {
    await using stage = await Stage.open();
    await stage.put({ gw1, gw2 });
    const junk = Object.fromEntries(Array.from({ length: 150 }, (_, i) => [`a${i}`, 'x']));
    const changed = value('2', { lan: ['10.0.0.9'], pools: { other: ['192.0.2.0/24'] } });
    await stage.put({ ...junk, gw1, gw2: changed });
    expect(stage.gateways).to.equal('10.0.0.1 101 1, 2001:db8:10::1 101 1, 10.0.0.9 102 2');
    expect(stage.says.match(/published-unreadable/g)).to.have.length(100);
    expect(stage.says).to.match(/published-too-many: .* has too many keys: 50 of them are not looked at/);
  });

  it('says in few words why a value of a megabyte cannot be read', async () => {
    await using stage = await Stage.open();
    await stage.put({ gw1: gw1.replace('10.0.0.1', 'x'.repeat(500_000)) });
    expect(stage.says).to.match(/published-unreadable/);
    expect(stage.says.length).to.be.below(1500);
  });

  it('says that the file it keeps cannot be used, and goes on', async () => {
    await using stage = await Stage.open();
    await stage.put({ gw1 });
    await writeFile(join(stage.folder, 'node', 'published.json'), '{"version":9}');
    stage.port.put(undefined);
    await stage.restart();
    expect(stage.says).to.match(/remembered-gateways-unreadable/);
    expect(stage.gateways).to.equal('');
  });

  it('keeps the others where the file has a gateway that it can no longer read', async () => {
    await using stage = await Stage.open();
    await stage.put({ gw1, gw2 });
    const file = join(stage.folder, 'node', 'published.json');
    const text = await readFile(file, 'utf8');
    expect(text).to.include('10.0.0.1');
    await writeFile(file, text.replaceAll('10.0.0.1\\"', '169.254.0.1\\"'));
    const before = stage.gateways;
    stage.port.put(undefined);
    await stage.restart();
    expect(stage.says).to.match(
      /remembered-gateways-unreadable: .*gateway gw1: 169\.254\.0\.1 cannot be a gateway \(link-local\)/,
    );
    expect(before).to.include(stage.gateways);
    expect(stage.gateways).to.include('10.0.0.2');
  });

  describe('whose file has a part of it', () => {
    it('has the networks of the file, and says which published pool they lack', async () => {
      await using stage = await Stage.open('follow: true\neips: [198.51.100.0/24]\n');
      await stage.put({ gw1, gw2 });
      expect(stage.agent.eips).to.deep.equal(['198.51.100.0/24']);
      expect(stage.gateways).to.equal(two);
      expect(stage.says).to.equal(
        'eips-lack-published: eips (/etc/eiproute/node.yaml:2) does not hold 192.0.2.0/24 of pool other of gateway gw2: what comes for its EIPs is not answered through a gateway',
      );
    });

    it('has the gateways of the file, and says which published one they lack', async () => {
      await using stage = await Stage.open('gateways: [10.0.0.1, "2001:db8:10::1"]\nfollow: true\n');
      await stage.put({ gw1, gw2 });
      expect(stage.agent.eips).to.deep.equal(all);
      expect(stage.gateways).to.equal('10.0.0.1 101 1, 2001:db8:10::1 101 1');
      // Its other address is for IPv6, and it has no pool of that.
      expect(stage.says).to.match(
        /^gateways-lack-published: gateways \(\/etc\/eiproute\/node\.yaml:1\) does not hold the address 10\.0\.0\.2 of gateway gw2: [^\n]*$/,
      );
    });
  });

  describe('on a node', () => {
    const v6 = value('6', {
      pools: { six: ['2001:db8:e::/64'], four: ['198.51.100.0/24'] },
      lan: ['10.0.0.1', '2001:db8:10::1'],
    });

    it('without IPv6 serves IPv4 alone, and both once it has an address', async () => {
      await using stage = await Stage.open();
      stage.links = [eth0('10.0.0.11/24')];
      await stage.put({ v6 });
      expect(stage.agent.eips).to.deep.equal(['198.51.100.0/24']);
      expect(stage.says).to.equal('');
      stage.links = both;
      stage.take();
      expect(stage.agent.eips).to.deep.equal(['198.51.100.0/24', '2001:db8:e::/64']);
    });

    it('keeps IPv6 while its address is gone for a moment, over a restart as well', async () => {
      await using stage = await Stage.open();
      await stage.put({ v6 });
      stage.links = [eth0('10.0.0.11/24')];
      stage.take();
      expect(stage.agent.eips).to.have.length(2);
      await stage.restart();
      expect(stage.agent.eips).to.have.length(2);
    });

    it('that is a gateway itself has no way back to itself', async () => {
      await using stage = await Stage.open();
      stage.links = [eth0('10.0.0.1/24', '2001:db8:10::1/64')];
      await stage.put({ gw1, gw2 });
      expect(stage.gateways).to.equal('10.0.0.2 102 2, 2001:db8:10::2 102 2');
      expect(stage.says).to.equal('');
    });

    it('has no more gateways than the mask has room for, and says so', async () => {
      await using stage = await Stage.open();
      const many = Object.fromEntries(
        Array.from({ length: 15 }, (_, i) => [
          `g${10 + i}`,
          value(String(i), { lan: [`10.0.0.${100 + i}`] }),
        ]),
      );
      await stage.put(many);
      expect(stage.agent.gateways).to.have.length(14);
      expect(stage.says).to.match(
        /^gateways-lack-published: gateways of this node does not hold the address 10\.0\.0\.114/,
      );
    });
  });
});
