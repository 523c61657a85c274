import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { program } from '../../lab/eiproute/daemon-process.ts';
import {
  client,
  clients,
  eip,
  gateway,
  gateway2,
  node,
  other,
  podNetwork,
  pools,
  upstream,
} from '../../lab/network/map.ts';
import { layNetwork, type Network } from '../../lab/network/network.ts';
import { type Outcome, within } from '../../lab/process/run.ts';
import { ask } from '../../src/daemon/ask.ts';
import type { GatewayStatus as Status } from '../../src/status/status.ts';
import { late } from '../patience.ts';
import { downloadPort, echoPort, Flows, flowServer } from './flows.ts';
import { GatewayDaemon } from './gateway-daemon.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

const web = eip(1);
const nodePort = 30080;
const names = ['node1', 'node2', 'node3'];
const families = ['v4', 'v6'] as const;
type Family = (typeof families)[number];
const host = (ip: string): string => (ip.includes(':') ? `[${ip}]` : ip);
const many = Array.from({ length: clients }, (_, i) => client(i));

/**
 * SCTP by raw sockets, since the kernel may have none: a node answers an INIT with an INIT ACK, whose payload says to which
 * port the INIT came.
 */
const sctpParts = `
import socket, struct, sys
v6 = sys.argv[1] == 'v6'
raw = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_RAW, 132)
def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8): crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff
def packet(source, destination, tag, chunk):
    head = struct.pack('!HHI', source, destination, tag)
    return head + struct.pack('<I', crc32c(head + bytes(4) + chunk)) + chunk
def init(kind, tag):
    return struct.pack('!BBHIIHHI', kind, 0, 20, tag, 65536, 1, 1, 1)
def received():
    data, address = raw.recvfrom(2048)
    if not v6: data = data[20:]
    return (*struct.unpack('!HHI', data[:8]), data[12], data[12:], address[0])
`;
const sctpNode = `${sctpParts}
while True:
    source, destination, tag, kind, chunk, peer = received()
    if kind != 1: continue
    initial = struct.unpack('!I', chunk[4:8])[0]
    raw.sendto(packet(destination, source, initial, init(2, destination)), (peer, 0))
`;
const sctpClient = `${sctpParts}
raw.bind((sys.argv[2], 0))
raw.settimeout(1)
# A node whose server has not begun yet gets it again.
for _ in range(15):
    raw.sendto(packet(41000, 3868, 0, init(1, 7)), (sys.argv[3], 0))
    try:
        source, destination, tag, kind, chunk, peer = received()
    except TimeoutError:
        continue
    if kind == 2: print(f"from {peer} port {source} to port {destination}, sent to port {struct.unpack('!I', chunk[4:8])[0]}")
    break
`;

/** Nodes without an agent and without kube-proxy: a server listens on the NodePort. */
class Plain implements AsyncDisposable {
  readonly net: Network;
  readonly #stack: AsyncDisposableStack;
  #daemon: GatewayDaemon | undefined;

  private constructor(net: Network, stack: AsyncDisposableStack) {
    this.net = net;
    this.#stack = stack;
  }

  /** @param way of the nodes to the world: by the gateway, or past it */
  static async lay(way: 'gateway' | 'other', gateways: 1 | 2 = 1): Promise<Plain> {
    await using stack = new AsyncDisposableStack();
    const net = stack.use(await layNetwork({ nodes: 3, gateways, nodeRouting: 'by agents' }));
    for (const [i, name] of names.entries()) {
      await net.addHostPod(`web-${name}`, name, nodePort);
      const argv = [process.execPath, '-e', flowServer(name)];
      stack.use(new GatewayDaemon(within(net.namespace(name), argv)));
      await until(
        `${name} serves`,
        () => net.run(name, { argv: ['ss', '-Hltn', 'sport', '=', `:${downloadPort}`] }),
        (listening) => listening !== '',
      );
      for (const family of families) {
        const via = { gateway: gateway.lan, other: other.lan }[way][family];
        await net.run(name, { argv: ['ip', 'route', 'replace', 'default', 'via', via] });
        const pods = ['ip', 'route', 'add', podNetwork(i + 1)[family], 'via', node(i + 1)[family]];
        await net.run('gateway', { argv: pods });
        // Past this gateway to the world, and by it to EIPs.
        const [pool4 = '', pool6 = ''] = pools;
        const pool = family === 'v4' ? pool4 : pool6;
        await net.run(name, { argv: ['ip', 'route', 'add', pool, 'via', gateway.lan[family]] });
      }
    }
    await net.addPod('pod-a', 'node1');
    return new Plain(net, stack.move());
  }

  file(name: string): string {
    return join(this.net.folder, name);
  }

  /** @param on the nodes with a ready endpoint */
  async configure(nat: string, service: object = {}, on: readonly string[] = names): Promise<void> {
    const ports = [
      { name: 'http', protocol: 'TCP', port: 80, nodePort },
      { name: 'dns', protocol: 'UDP', port: 53, nodePort },
      { name: 'sctp', protocol: 'SCTP', port: 3868, nodePort: 30868 },
      { name: 'echo', protocol: 'TCP', port: 7, nodePort: echoPort },
      { name: 'echo-2', protocol: 'TCP', port: echoPort, nodePort: echoPort },
      { name: 'file', protocol: 'TCP', port: downloadPort, nodePort: downloadPort },
    ];
    const items = [
      ...names.map((name, i) => rawNode(name, { addresses: [node(i + 1).v4, node(i + 1).v6] })),
      rawService('web', { eips: [web.v4, web.v6], spec: { ports, ...service } }),
      ...families.map((family) =>
        rawSlice(
          'web',
          names.map((name, i) => ({
            ip: podNetwork(i + 1)[family].replace(/0?\/.*$/, family === 'v4' ? '77' : '77'),
            node: name,
            ready: on.includes(name),
          })),
          `web-${family}`,
        ),
      ),
    ];
    await writeFile(this.file('cluster.json'), JSON.stringify({ kind: 'List', items }));
    await writeFile(
      this.file('gateway.yaml'),
      `source: { file: cluster.json }
lan: eth0
uplink: eth1
defaultRoute: { via: [${upstream.outer.v4}, "${upstream.outer.v6}"] }
pools: [{ name: public, addresses: [${pools.map((pool) => `"${pool}"`).join(', ')}] }]
mode: nat
${nat}
stateDirectory: run-state
runtimeDirectory: run
log: { format: json }
`,
    );
  }

  eiproute(...words: readonly string[]): Promise<Outcome> {
    return this.net.outcome('gateway', { argv: [program, ...words, '--config', this.file('gateway.yaml')] });
  }

  /** @param runtime its folder below that of the network, as `gateway.yaml` or a variable has it */
  async start(part: 'gateway' | 'gateway2' = 'gateway', runtime = 'run'): Promise<void> {
    const argv = [
      'env',
      `EIPROUTE_RUNTIME_DIRECTORY=${this.file(runtime)}`,
      `EIPROUTE_STATE_DIRECTORY=${this.file(`${runtime}-state`)}`,
    ];
    const daemon = new GatewayDaemon(
      within(this.net.namespace(part), [...argv, program, 'gateway', '--config', this.file('gateway.yaml')]),
    );
    this.#daemon = daemon;
    this.#stack.use(daemon);
    await until(
      'all is in the kernel',
      async (): Promise<Status | undefined> => {
        if (daemon.end !== undefined) throw new Error(`it ended with ${daemon.end}:\n${daemon.text()}`);
        const answer = await ask(this.file(runtime), 'gateway', 'GET', '/status', late()).catch(
          () => undefined,
        );
        return answer === undefined ? undefined : JSON.parse(answer);
      },
      (status) => status?.synced === true && status.pid === daemon.pid,
    );
  }

  async stop(): Promise<void> {
    this.#daemon?.signal('SIGTERM');
    await this.#daemon?.ended();
  }

  /** What a server says of a request: `web-node2 192.0.2.100`, or curl's exit status: 7 is refused, 28 is no answer. */
  async get(from: string, url: string, ...words: readonly string[]): Promise<string> {
    const argv = ['curl', '-s', '-g', '--max-time', '5', ...words, url];
    const { status, out } = await this.net.outcome(from, { argv });
    return status === 0 ? out.trim() : `curl ${status}`;
  }

  nft(...words: readonly string[]): Promise<string> {
    return this.net.run('gateway', { argv: ['nft', ...words] });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#stack.disposeAsync();
  }
}

describe('a gateway with NAT, which is the way of the nodes to the world', () => {
  const stack = new AsyncDisposableStack();
  let plain: Plain;
  before(async function () {
    needRoot(this);
    plain = stack.use(await Plain.lay('gateway'));
    await plain.configure('');
  });
  after(() => stack.disposeAsync());

  it('plans the NAT of an EIP before its route', async () => {
    const { out } = await plain.eiproute('plan');
    const at = (pattern: RegExp): number => out.split('\n').findIndex((line) => pattern.test(line));
    const order = [
      at(/nft table inet eiproute-nat-86/),
      at(/nat group \d+ nodes 10\.0\.0\.1\d\*8\d/),
      at(
        /nat 198\.51\.100\.10 sctp 3868 to group \d+ port 30868, tcp 7 to group \d+ port 7000, tcp 80 to group/,
      ),
      at(/route 198\.51\.100\.10 nhid/),
    ];
    expect(order, out).to.not.include(-1);
    expect(order).to.deep.equal([...order].sort((a, b) => a - b));
    await plain.start();
  });

  for (const family of families) {
    const url = `http://${host(web[family])}/`;

    it(`serves an outside client, whose address the node sees, IP${family}`, async () => {
      const from = client(3)[family];
      expect(await plain.get('client', url, '--interface', from)).to.match(
        new RegExp(`^web-node[123] ${from.replaceAll('.', '\\.')}$`),
      );
    });

    it(`spreads clients over all nodes, and keeps each on its node, IP${family}`, async () => {
      const asked = async () => {
        const answers: string[] = [];
        for (const one of many) answers.push(await plain.get('client', url, '--interface', one[family]));
        return answers;
      };
      const first = await asked();
      expect(new Set(first.map((answer) => answer.replace(/ .*/, ''))).size, first.join()).to.equal(3);
      expect(await asked()).to.deep.equal(first);
    });

    it(`serves nodes, their pods, other hosts of the LAN and itself, masqueraded, IP${family}`, async () => {
      const seen = new Map<string, string>();
      for (const from of ['node1', 'node2', 'node3', 'pod-a', 'api', 'gateway']) {
        if (from === 'api')
          await plain.net.run('api', {
            argv: ['ip', 'route', 'replace', 'default', 'via', gateway.lan[family]],
          });
        seen.set(from, await plain.get(from, url));
      }
      for (const [from, answer] of seen)
        expect(answer, from).to.match(
          new RegExp(`^web-node[123] ${gateway.lan[family].replaceAll('.', '\\.')}$`),
        );
    });

    it(`refuses at once what no Service has: a port, and a ping, IP${family}`, async () => {
      for (const from of ['client', 'node1', 'api', 'gateway'])
        expect(await plain.get(from, `http://${host(web[family])}:81/`), from).to.equal('curl 7');
      const ping = await plain.net.outcome('client', { argv: ['ping', '-c', '1', '-W', '5', web[family]] });
      expect(ping.out).to.match(/Port Unreachable|Port unreachable/);
    });

    it(`serves UDP, IP${family}`, async () => {
      const script = `
        const socket = require('node:dgram').createSocket(${family === 'v4' ? "'udp4'" : "'udp6'"});
        socket.on('message', (text, { address, port }) => { console.log(String(text).trim(), address, port); socket.close(); });
        socket.send('hello', 53, ${JSON.stringify(web[family])});`;
      const { out } = await plain.net.outcome('client', {
        argv: ['timeout', '10', process.execPath, '-e', script],
      });
      expect(out.trim()).to.match(/^web-node[123] \S+ \S+ 53$/);
      expect(out).to.include(` ${web[family]} 53`);
    });

    it(`sends SCTP to the NodePort of a node, whose answer comes from the EIP, IP${family}`, async () => {
      await using stack = new AsyncDisposableStack();
      for (const name of names)
        stack.use(new GatewayDaemon(within(plain.net.namespace(name), ['python3', '-c', sctpNode, family])));
      const { out, err } = await plain.net.outcome('client', {
        argv: ['timeout', '20', 'python3', '-c', sctpClient, family, client(4)[family], web[family]],
      });
      expect(out.trim(), err).to.equal(`from ${web[family]} port 3868 to port 41000, sent to port 30868`);
    });

    it(`leaves what else it forwards alone, IP${family}`, async () => {
      const length = family === 'v4' ? 24 : 64;
      const lan = family === 'v4' ? `10.0.0.0/${length}` : `2001:db8:10::/${length}`;
      await plain.net.run('upstream', { argv: ['ip', 'route', 'add', lan, 'via', gateway.uplink[family]] });
      const from = client(5)[family];
      const direct = `http://${host(node(2)[family])}:${nodePort}/`;
      expect(await plain.get('client', direct, '--interface', from)).to.equal(`web-node2 ${from}`);
    });

    it(`passes on the errors of a path with a smaller MTU: downloads arrive, IP${family}`, async () => {
      await using flows = new Flows(plain.net.namespace('client'));
      await plain.net.run('upstream', { argv: ['ip', 'link', 'set', 'eth0', 'mtu', '1300'] });
      // The server's segments are too long, and only the ICMP error says so.
      expect(
        await flows.download(
          web[family],
          8,
          many.map((one) => one[family]),
        ),
      ).to.equal(0);
      await plain.net.run('upstream', { argv: ['ip', 'link', 'set', 'eth0', 'mtu', '1500'] });
    });
  }

  it('is reached from everywhere, as docs/choosing-a-mode.md has it', async () => {
    const { net } = plain;
    // Linux sends a host one ICMP error a second.
    for (const name of ['net.ipv4.icmp_ratelimit', 'net.ipv6.icmp.ratelimit'])
      await net.run('gateway', { argv: ['sysctl', '-qw', `${name}=0`] });
    for (const family of families)
      await net.run('api', { argv: ['ip', 'route', 'replace', 'default', 'via', gateway.lan[family]] });
    const http = async (from: string, family: Family, port: number): Promise<string> => {
      const answer = await plain.get(from, `http://${host(web[family])}:${port}/`);
      return answer.startsWith('web-node') ? 'yes' : answer === 'curl 7' ? 'refused' : answer;
    };
    const ping = async (from: string, family: Family): Promise<string> => {
      const { out, err } = await net.outcome(from, { argv: ['ping', '-c', '1', '-W', '5', web[family]] });
      return /Port unreachable|Operation not permitted/i.test(out + err) ? 'refused' : out + err;
    };
    const rows = [
      '| from, IPv4 and IPv6 | curl EIP | a port that no Service has | ping EIP |',
      '| --- | --- | --- | --- |',
    ];
    for (const [who, from] of [
      ['outside client', 'client'],
      ['node', 'node1'],
      ['pod', 'pod-a'],
      ['other host of the LAN', 'api'],
      ['NAT host itself', 'gateway'],
    ] as const) {
      const cells: string[] = [];
      for (const ask of [
        (family: Family) => http(from, family, 80),
        (family: Family) => http(from, family, 81),
        (family: Family) => ping(from, family),
      ])
        cells.push(`${await ask('v4')}, ${await ask('v6')}`);
      rows.push(`| ${[who, ...cells].join(' | ')} |`);
    }
    const squeezed = (text: string): string => text.replace(/ +/g, ' ').replace(/-{3,}/g, '---');
    const page = await readFile(new URL('../../docs/choosing-a-mode.md', import.meta.url), 'utf8');
    expect(squeezed(page), rows.join('\n')).to.include(rows.join('\n'));
  });

  it('is traced, and told of a firewall that drops, in the words of that', async () => {
    const traced = await plain.eiproute('trace', `${web.v4}:80`);
    expect(traced.out).to.match(/nat +.*tcp 80 -> port 30080 of 10\.0\.0\.11, 10\.0\.0\.12, 10\.0\.0\.13/);
    expect(traced.out).to.include('no forward hook of nft drops it');
    // As ufw has it.
    const table = 'add table ip filter; add chain ip filter ufw-before-forward';
    await plain.nft(
      `${table}; add chain ip filter FORWARD { type filter hook forward priority 0; policy drop; }`,
    );
    expect(await plain.get('client', `http://${web.v4}/`)).to.equal('curl 28');
    for (const words of [['trace', `${web.v4}:80`], ['doctor']]) {
      const { out } = await plain.eiproute(...words);
      expect(out, words[0]).to.include('ufw route allow in on eth1 out on eth0');
    }
    await plain.nft('delete table ip filter');
  });

  it("passes the rules that Debian's firewalld has, and doctor says so", async () => {
    await plain.nft('-f', fileURLToPath(new URL('../fixtures/firewalls/firewalld.txt', import.meta.url)));
    for (const ip of [web.v4, web.v6])
      expect(await plain.get('client', `http://${host(ip)}/`), ip).to.match(/^web-node/);
    const { checks } = JSON.parse((await plain.eiproute('doctor', '--json')).out);
    expect(checks.find(({ name }: { name: string }) => name === 'firewall')).to.include({ state: 'ok' });
    await plain.nft('delete table inet firewalld');
  });

  it('finds out that replies come back by it', async () => {
    const { out } = await plain.eiproute('doctor');
    for (const family of ['IPv4', 'IPv6'])
      expect(out).to.match(new RegExp(`pool public \\(${family}\\): replies of \\S+:${nodePort} come back`));
    const traced = await plain.eiproute('trace', `${web.v4}:80`, '--probe');
    expect(traced.out).to.include('replies to an address beyond the LAN come back');
  });

  it('heals what somebody flushes, and takes in what changes', async () => {
    await plain.nft('flush', 'ruleset');
    await until(
      'the table is back, with its elements',
      () => plain.nft('list', 'ruleset'),
      (ruleset) => ruleset.includes('chain refuse ') && ruleset.includes(`${web.v6} . tcp . 80 : goto g`),
    );
    await until(
      'clients are served',
      () => plain.get('client', `http://${web.v4}/`),
      (answer) => answer.startsWith('web-node'),
    );
    await plain.nft('flush', 'map', 'inet', 'eiproute-nat-86', 'service4');
    await until(
      'the elements are back',
      () => plain.nft('list', 'map', 'inet', 'eiproute-nat-86', 'service4'),
      (map) => map.includes(`${web.v4} . tcp . 80 : goto g`),
    );
  });

  it('lets in those alone whom the Service lets in', async () => {
    await plain.stop();
    const source = client(2);
    await plain.configure('', { loadBalancerSourceRanges: [`${source.v4}/32`, '2001:db8:c::102/127'] });
    await plain.start();
    for (const family of families) {
      const get = (i: number) =>
        plain.get('client', `http://${host(web[family])}/`, '--interface', client(i)[family]);
      expect(await get(2), family).to.match(/^web-node/);
      // As with kube-proxy: no answer.
      expect(await get(4), family).to.equal('curl 28');
    }
    expect(await plain.get('node1', `http://${web.v4}/`)).to.equal('curl 28');
    await plain.stop();
    await plain.configure('');
    await plain.start();
  });

  it('keeps running connections through a restart', async () => {
    await using flows = new Flows(plain.net.namespace('client'));
    await flows.open(
      web.v4,
      30,
      many.map(({ v4 }) => v4),
    );
    await plain.stop();
    await plain.start();
    await flows.send();
    await until(
      'all echo',
      () => flows.count(),
      ({ live }) => live === 30,
    );
  });

  it('ends the connections of a node that is gone, and no other; UDP goes on', async () => {
    const { net } = plain;
    await using flows = new Flows(net.namespace('client'));
    const first = await flows.open(
      web.v4,
      60,
      many.map(({ v4 }) => v4),
    );
    const script = `
      const socket = require('node:dgram').createSocket('udp4');
      socket.bind(0, '${client(0).v4}', () => setInterval(() => socket.send('hello', 53, '${web.v4}'), 50));
      socket.on('message', (text) => console.error(JSON.stringify({ level: 'info', msg: String(text).split(' ')[0] })));`;
    await using udp = new GatewayDaemon(within(net.namespace('client'), [process.execPath, '-e', script]));
    const { msg } = await udp.says(/web-node/);
    const dead = msg.replace('web-', '');
    const lost = first.filter((name) => name === dead).length;
    expect(lost, first.join()).to.be.above(0);
    await net.unplug(dead);
    // The socket sends all the time: an entry that stays would be renewed for ever.
    await udp.says(new RegExp(`web-(?!${dead})`));
    await flows.send();
    await until(
      'each connection lives, or is known to be dead',
      () => flows.count(),
      ({ live, broken }) => live + broken === 60,
    );
    expect(await flows.count()).to.deep.equal({ live: 60 - lost, broken: lost });
    await net.plug(dead);
  });

  it('sends the UDP of a client that keeps its port on, when the endpoint moves; TCP stays', async () => {
    const { net } = plain;
    const local = { externalTrafficPolicy: 'Local' };
    await plain.configure('', local, ['node1']);
    await until(
      'node1 alone serves it',
      () => plain.eiproute('status', '--eips'),
      ({ out }) => new RegExp(`${web.v4.replaceAll('.', '\\.')}.* node1$`, 'm').test(out),
    );
    await using flows = new Flows(net.namespace('client'));
    await flows.open(web.v4, 10, [client(0).v4]);
    const script = `
      const socket = require('node:dgram').createSocket('udp4');
      socket.bind(0, '${client(0).v4}', () => setInterval(() => socket.send('hello', 53, '${web.v4}'), 50));
      socket.on('message', (text) => console.error(JSON.stringify({ level: 'info', msg: String(text).split(' ')[0] })));`;
    await using udp = new GatewayDaemon(within(net.namespace('client'), [process.execPath, '-e', script]));
    await udp.says(/web-node1/);
    await plain.configure('', local, ['node2']);
    // Each packet renews the entry that leads to node1.
    await udp.says(/web-node2/);
    await flows.send();
    await until(
      'all echo',
      () => flows.count(),
      ({ live, broken }) => live + broken === 10,
    );
    expect(await flows.count()).to.deep.equal({ live: 10, broken: 0 });
    await plain.configure('');
  });

  it('takes it away with the route', async () => {
    await plain.stop();
    const { status, out, err } = await plain.eiproute('purge', '--yes');
    expect(status, out + err).to.equal(0);
    expect(await plain.nft('list', 'ruleset')).to.not.include('eiproute-nat');
    expect(await plain.net.run('gateway', { argv: ['ip', 'route', 'show', 'proto', '86'] })).to.not.include(
      web.v4,
    );
  });
});

describe('a gateway with NAT, past which the nodes answer', () => {
  const stack = new AsyncDisposableStack();
  let plain: Plain;
  const vip = '10.0.0.100';
  before(async function () {
    needRoot(this);
    plain = stack.use(await Plain.lay('other'));
    await plain.net.run('gateway', { argv: ['ip', 'address', 'add', `${vip}/32`, 'dev', 'eth0'] });
  });
  after(() => stack.disposeAsync());
  afterEach(() => plain.stop());

  const rows: readonly (readonly [nat: string, seen: Readonly<Record<Family, string>>])[] = [
    ['nat: { source: masquerade }', gateway.lan],
    [`nat: { source: ${vip} }`, { v4: vip, v6: gateway.lan.v6 }],
  ];
  for (const [nat, seen] of rows) {
    it(`serves everybody with ${nat}, and the node sees the gateway`, async () => {
      await plain.configure(nat);
      await plain.start();
      for (const family of families)
        for (const from of ['client', 'node1', 'gateway'])
          expect(await plain.get(from, `http://${host(web[family])}/`), `${from} ${family}`).to.match(
            new RegExp(`^web-node[123] ${seen[family].replaceAll('.', '\\.')}$`),
          );
      expect(await plain.get('client', `http://${web.v4}:81/`)).to.equal('curl 7');
      const { out } = await plain.eiproute('doctor');
      expect(out).to.include('take another way than this gateway, and need none: nat.source');
      const traced = await plain.eiproute('trace', `${web.v4}:80`, '--probe');
      expect(traced.out).to.include('nat.source gives connections its address');
    });
  }

  it('cannot serve clients whose address it preserves: the answer of a node is that of a stranger', async () => {
    await plain.configure('');
    await plain.start();
    expect(await plain.get('client', `http://${web.v4}/`)).to.match(/^curl (28|7|56)$/);
    // It finds out by asking, from an address beyond the LAN and past its own table.
    const told = await plain.eiproute('doctor');
    expect(told.out).to.match(
      /FAIL +node agents +pool public \(IPv[46]\): \S+:80 answers on the LAN, and replies of \S+:30080 .* do not come back by eth0/,
    );
    expect(told.out).to.include('make this gateway the default route of the nodes, or set nat.source');
    const traced = await plain.eiproute('trace', `${web.v4}:80`, '--probe');
    expect(traced.out).to.match(/FAIL +return path/);
  });
});

describe('two gateways with NAT that synchronise nothing', () => {
  const stack = new AsyncDisposableStack();
  let plain: Plain;
  before(async function () {
    needRoot(this);
    plain = stack.use(await Plain.lay('gateway', 2));
    await plain.configure('nat: { seed: 7361 }');
    await plain.start('gateway', 'run');
    await plain.start('gateway2', 'run2');
  });
  after(() => stack.disposeAsync());

  /** The world and the nodes turn to a gateway. */
  async function turnTo(to: typeof gateway): Promise<void> {
    for (const family of families) {
      const pool = pools[family === 'v4' ? 0 : 1] ?? '';
      await plain.net.run('upstream', {
        argv: ['ip', 'route', 'replace', pool, 'via', to.uplink[family], 'dev', 'eth1'],
      });
      for (const name of names)
        await plain.net.run(name, { argv: ['ip', 'route', 'replace', 'default', 'via', to.lan[family]] });
    }
  }

  for (const family of families) {
    it(`keep 60 of 60 connections when the other one takes over, IP${family}`, async () => {
      await turnTo(gateway);
      await using flows = new Flows(plain.net.namespace('client'));
      const first = await flows.open(
        web[family],
        60,
        many.map((one) => one[family]),
      );
      expect(new Set(first).size, first.join()).to.equal(3);
      await turnTo(gateway2);
      await flows.send();
      await until(
        'all echo',
        () => flows.count(),
        ({ live, broken }) => live + broken === 60,
      );
      expect(await flows.count()).to.deep.equal({ live: 60, broken: 0 });
    });
  }
});
