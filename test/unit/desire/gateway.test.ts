import { expect } from 'chai';
import { gatewayObjects } from '../../../src/desire/gateway.ts';
import type { Snapshot } from '../../../src/model/cluster.ts';
import type { DesiredObjects, Refusals } from '../../../src/model/desired-object.ts';
import type { Gateway } from '../../../src/model/gateway.ts';
import { family, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { describe as words } from '../../../src/model/iproute.ts';
import type { KernelObject, Link } from '../../../src/model/object.ts';
import { type Change, keyOf } from '../../../src/model/object.ts';
import {
  endpoint,
  gateway,
  listing,
  node,
  service,
  settingsOf,
  snapshot,
  threeNodes,
  twoLinks,
} from '../../scene.ts';

const [lan, uplink] = twoLinks;
const names = (index: number): string => twoLinks.find((link) => link.index === index)?.name ?? `if${index}`;

interface Case {
  readonly cluster?: Snapshot;
  readonly settings?: Gateway;
  readonly objects?: readonly KernelObject[];
  readonly links?: readonly Link[];
  readonly former?: Readonly<Record<string, string>>;
  readonly refused?: Refusals;
}

function want({
  cluster,
  settings = gateway(),
  objects = [],
  links = twoLinks,
  former,
  refused,
}: Case): DesiredObjects {
  return gatewayObjects(
    cluster ?? snapshot([], []),
    settings,
    listing([...settingsOf(settings, links), ...objects], { links, former }),
    refused ?? new Map(),
  );
}

function kinds(of: DesiredObjects, ...wanted: readonly KernelObject['kind'][]): readonly string[] {
  return of.objects
    .filter(({ object }) => wanted.includes(object.kind))
    .map(({ object }) => words(object, names));
}

function told(of: DesiredObjects): readonly string[] {
  return of.problems.map(({ code, subject }) => `${code}: ${subject}`);
}

function refusal(change: Change, code: string, message = code): Refusals {
  const object = change.verb === 'delete' ? change.have : change.want;
  return new Map([[keyOf(object), { change, code, message }]]);
}

const pools = (...addresses: readonly string[]): Partial<Gateway> => ({
  pools: [{ name: 'public', addresses: addresses.map(parsePrefix) }],
});

describe('what a gateway wants', () => {
  it('names each key once, and spells it right', () => {
    const cluster = snapshot(threeNodes, [
      service('web', ['198.51.100.10', '2001:db8:e::10']),
      service('api', ['198.51.100.10']),
      service('one', ['192.0.2.10']),
    ]);
    const { objects } = want({ cluster });
    expect(new Set(objects.map(({ key }) => key)).size).to.equal(objects.length);
    for (const { key, object } of objects) expect(key).to.equal(keyOf(object));
  });

  it('is complete when the cluster is', () => {
    for (const complete of [true, false]) {
      expect(want({ cluster: snapshot([], [], { complete }) }).complete).to.equal(complete);
    }
  });

  it('passes on what the cluster complains of', () => {
    const problem = {
      code: 'object-unreadable',
      severity: 'warn',
      subject: 'Service default/odd',
      message: 'odd',
      advice: 'mend it',
    } as const;
    expect(want({ cluster: snapshot([], [], { problems: [problem] }) }).problems).to.deep.equal([problem]);
  });

  it('says why each object is there', () => {
    const cluster = snapshot(threeNodes.slice(0, 1), [service('web', ['198.51.100.10'])]);
    const { objects } = want({ cluster });
    const why = objects.filter(({ object }) => object.kind !== 'sysctl').map(({ why: { text } }) => text);
    expect(why).to.deep.equal([
      'IPv6 flow labels do not move flows',
      'pool public',
      'pool public',
      'pool few',
      'node n1',
      'EIP 198.51.100.10',
      'Service default/web',
    ]);
  });
});

describe('pools', () => {
  it('are unreachable, but for the EIPs in them', () => {
    expect(
      kinds(want({ settings: gateway(pools('198.51.100.0/24', '2001:db8:e::/64')) }), 'route'),
    ).to.deep.equal([
      'unreachable 198.51.100.0/24 proto 86 metric 1000000',
      'unreachable 2001:db8:e::/64 proto 86 metric 1000000',
    ]);
  });

  it('keep an EIP and a pool of one address apart by the metric', () => {
    const settings = gateway(pools('192.0.2.10/32', '2001:db8:e::10/128'));
    const cluster = snapshot(threeNodes, [service('web', ['192.0.2.10', '2001:db8:e::10'])]);
    const routes = want({ settings, cluster }).objects.filter(({ object }) => object.kind === 'route');
    expect(routes.map(({ key }) => key)).to.deep.equal([
      'route 254 192.0.2.10/32 1000000',
      'route 254 2001:db8:e::10/128 1000000',
      'route 254 192.0.2.10/32 0',
      'route 254 2001:db8:e::10/128 1024',
    ]);
  });

  const settings = gateway({
    pools: [
      { name: 'good', addresses: [parsePrefix('198.51.100.0/24')] },
      { name: 'bad', addresses: [parsePrefix('203.0.113.0/25'), parsePrefix('203.0.113.128/25')] },
    ],
  });
  const cases: readonly { name: string; holder: string; case: Case }[] = [
    {
      name: 'a node',
      holder: 'node n9',
      case: {
        cluster: snapshot(
          [node('n9', ['203.0.113.9'])],
          [service('web', [], { externalIps: [parseIp('203.0.113.9')] })],
        ),
        settings,
      },
    },
    {
      name: 'this gateway',
      holder: 'this gateway (eth1)',
      case: {
        cluster: snapshot(threeNodes, [service('web', ['203.0.113.9'])]),
        settings,
        links: [lan, { ...uplink, addresses: [{ ip: parseIp('203.0.113.9'), length: 24 }] }],
      },
    },
    {
      name: 'the API server',
      holder: 'the Kubernetes API (server in the kubeconfig)',
      case: {
        cluster: snapshot(threeNodes, [service('web', ['203.0.113.9'])], {
          apiPeers: [{ ip: parseIp('203.0.113.9'), from: 'server' }],
        }),
        settings,
        links: [lan, { ...uplink, addresses: [] }],
      },
    },
    {
      name: 'the router',
      holder: 'the router of defaultRoute',
      case: {
        cluster: snapshot(threeNodes, [service('web', ['203.0.113.9'])]),
        settings: { ...settings, defaultRoutes: [parseIp('203.0.113.9')] },
        links: [lan, { ...uplink, addresses: [] }],
      },
    },
  ];
  for (const { name, holder, case: given } of cases) {
    it(`that hold the address of ${name} lose just that network's unreachable route, and that EIP its route`, () => {
      const result = want({ links: [lan, { ...uplink, addresses: [] }], ...given });
      const routes = kinds(result, 'route');
      expect(routes.filter((line) => line.startsWith('unreachable'))).to.deep.equal([
        'unreachable 198.51.100.0/24 proto 86 metric 1000000',
        'unreachable 203.0.113.128/25 proto 86 metric 1000000',
      ]);
      expect(routes.filter((line) => line.startsWith('203.0.113.9 '))).to.deep.equal([]);
      expect(told(result)).to.deep.equal([
        'pool-holds-reserved: pool bad 203.0.113.0/25',
        'eip-reserved: 203.0.113.9',
      ]);
      for (const { message } of result.problems) expect(message).to.include(holder);
    });
  }

  it('keep the route of an EIP that a node claims while it is in use, and report it', () => {
    const cluster = snapshot(
      [node('n9', ['10.0.0.19', '203.0.113.9'])],
      [service('web', ['203.0.113.9'], { endpoints: [endpoint('n9')] })],
    );
    const links = [lan, { ...uplink, addresses: [] }];
    const inUse = want({ cluster: { ...cluster, nodes: threeNodes }, settings, links }).objects;
    const objects = inUse.map(({ object }) => object).filter(({ kind }) => kind !== 'sysctl');
    const result = want({ cluster, settings, links, objects });
    const routes = kinds(result, 'route');
    expect(routes).to.include('203.0.113.9 nhid 260000000 proto 86');
    expect(routes).to.include('unreachable 203.0.113.0/25 proto 86 metric 1000000');
    expect(told(result)).to.deep.equal(['eip-claimed: 203.0.113.9']);
  });

  it('keep the route of an EIP in use that an EndpointSlice names as the Kubernetes API, and report it', () => {
    const web = service('web', ['203.0.113.9']);
    const slice = [endpoint('n1', { ip: parseIp('203.0.113.9') })];
    const api = service('kubernetes', [], { type: 'ClusterIP', endpoints: slice });
    const links = [lan, { ...uplink, addresses: [] }];
    const inUse = want({ cluster: snapshot(threeNodes, [web]), settings, links }).objects;
    const objects = inUse.map(({ object }) => object).filter(({ kind }) => kind !== 'sysctl');
    const result = want({ cluster: snapshot(threeNodes, [api, web]), settings, links, objects });
    const routes = kinds(result, 'route');
    expect(routes).to.include('203.0.113.9 nhid 260000000 proto 86');
    expect(routes).to.include('unreachable 203.0.113.0/25 proto 86 metric 1000000');
    expect(told(result)).to.deep.equal(['eip-claimed: 203.0.113.9']);
  });

  it('keep the route of an EIP in use by which the API is reached, and report it', () => {
    const web = service('web', ['203.0.113.9']);
    const links = [lan, { ...uplink, addresses: [] }];
    const inUse = want({ cluster: snapshot(threeNodes, [web]), settings, links }).objects;
    const objects = inUse.map(({ object }) => object).filter(({ kind }) => kind !== 'sysctl');
    const apiPeers = [{ ip: parseIp('203.0.113.9'), from: 'server' as const }];
    const result = want({ cluster: snapshot(threeNodes, [web], { apiPeers }), settings, links, objects });
    expect(kinds(result, 'route')).to.include('203.0.113.9 nhid 260000000 proto 86');
    expect(told(result)).to.deep.equal(['eip-claimed: 203.0.113.9']);
  });

  it('give every other EIP of such a network its route', () => {
    const cluster = snapshot([node('n9', ['203.0.113.9'])], [service('web', ['203.0.113.10'])]);
    const result = want({ cluster, settings, links: [lan, { ...uplink, addresses: [] }] });
    expect(kinds(result, 'route')).to.include('203.0.113.10 nhid 260000000 proto 86');
  });

  it('are looked at again when an address comes to the gateway', () => {
    const cluster = snapshot(threeNodes, []);
    const links = [lan, { ...uplink, addresses: [{ ip: parseIp('203.0.113.9'), length: 24 }] }];
    expect(
      told(want({ cluster, settings, links: twoLinks.map((link) => ({ ...link, addresses: [] })) })),
    ).to.deep.equal([]);
    expect(told(want({ cluster, settings, links }))).to.have.length(1);
  });
});

describe('the default route', () => {
  const settings = gateway({ defaultRoutes: [parseIp('203.0.113.254'), parseIp('2001:db8:113::fe')] });
  const lines = [
    'default via 203.0.113.254 dev eth1 proto 86',
    'default via 2001:db8:113::fe dev eth1 proto 86 metric 1024',
  ];
  const standing = want({ settings })
    .objects.map(({ object }) => object)
    .filter((object) => object.kind === 'route' && object.dst.endsWith('/0'));

  const defaults = (given: Case) =>
    kinds(want({ settings, ...given }), 'route').filter((line) => line.startsWith('default'));

  it('leads out of the uplink, in both families', () => {
    expect(defaults({})).to.deep.equal(lines);
    expect(defaults({ settings: gateway() })).to.deep.equal([]);
  });

  it('is kept, not wanted anew, while the uplink is dead', () => {
    const links = [lan, { ...uplink, carrier: false }];
    expect(defaults({ links })).to.deep.equal([]);
    expect(defaults({ links, objects: standing })).to.deep.equal(lines);
    expect(told(want({ settings, links }))).to.deep.equal(['interface-down: interface eth1']);
  });

  it('is reported when it was refused, and stays desired', () => {
    const [four] = standing;
    if (four === undefined) throw new Error('no default route');
    const refused = refusal({ verb: 'add', want: four }, 'ENETUNREACH', 'Nexthop has invalid gateway');
    expect(told(want({ settings, refused }))).to.deep.equal([
      'default-route-refused: default route via 203.0.113.254',
    ]);
    expect(defaults({ refused })).to.deep.equal(lines);
    expect(defaults({ refused, objects: standing })).to.deep.equal(lines);
  });
});

describe('interfaces', () => {
  const cluster = snapshot(threeNodes, [service('web', ['198.51.100.10'])]);
  const standing = want({ cluster }).objects.map(({ object }) => object);
  const forwarding = ['nexthop', 'group'] as const;

  const cases: readonly { name: string; links: readonly Link[]; problem: string; advice: string }[] = [
    { name: 'missing', links: [uplink], problem: 'interface-missing', advice: 'ip link' },
    {
      name: 'down',
      links: [{ ...lan, up: false, carrier: false }, uplink],
      problem: 'interface-down',
      advice: 'ip link set dev eth0 up',
    },
    {
      name: 'without a carrier',
      links: [{ ...lan, carrier: false }, uplink],
      problem: 'interface-down',
      advice: 'cable',
    },
  ];
  it('toward the nodes that have lost their address keep all that leads through them, and are reported', () => {
    const links = [{ ...lan, addresses: lan.addresses.filter(({ ip }) => family(ip) === 6) }, uplink];
    const result = want({ cluster, links, objects: standing.filter(({ kind }) => kind !== 'sysctl') });
    expect(told(result)).to.deep.equal(['lan-without-address: IPv4 on eth0']);
    expect(kinds(result, ...forwarding)).to.deep.equal(kinds(want({ cluster }), ...forwarding));
  });

  for (const { name, links, problem, advice } of cases) {
    it(`that are ${name} freeze what leads through them, and are reported once`, () => {
      const result = want({ cluster, links, objects: standing.filter(({ kind }) => kind !== 'sysctl') });
      expect(told(result)).to.deep.equal([`${problem}: interface eth0`]);
      expect(result.problems[0]?.advice).to.include(advice);
      expect(kinds(result, ...forwarding)).to.have.length(4);
      expect(kinds(result, 'route')).to.include('198.51.100.10 nhid 260000000 proto 86');
      expect(kinds(want({ cluster, links }), ...forwarding)).to.deep.equal([]);
    });
  }
});

describe('settings', () => {
  const value = (of: DesiredObjects, name: string): string | undefined => {
    const found = of.objects.find(({ key }) => key === `sysctl ${name}`)?.object;
    return found?.kind === 'sysctl' ? found.value : undefined;
  };
  const v4 = gateway(pools('198.51.100.0/24'));

  it('are of IPv6 only where a pool is', () => {
    const lines = (given: Case) => kinds(want(given), 'sysctl').filter((line) => line.startsWith('net.ipv6'));
    expect(lines({ settings: v4 })).to.deep.equal([]);
    expect(lines({})).to.include('net.ipv6.conf.all.forwarding = 1');
  });

  it('follow the configuration', () => {
    const settings = gateway({ hash: 'ports', nexthopCompat: true, lan: 'eth0.100' });
    const links = [{ ...lan, name: 'eth0.100' }, uplink];
    const result = want({ settings, links });
    expect(value(result, 'net/ipv4/nexthop_compat_mode')).to.equal('1');
    expect(value(result, 'net/ipv4/neigh/eth0.100/retrans_time_ms')).to.equal('240');
    expect(value(result, 'net/ipv4/conf/eth0.100/rp_filter')).to.equal('0');
  });

  const forwarding = 'net/ipv6/conf/all/forwarding';
  const acceptRa = 'net/ipv6/conf/eth1/accept_ra';
  const sysctl = (name: string, text: string): KernelObject => ({ kind: 'sysctl', name, value: text });
  const advertisements: readonly { name: string; case: Case; want: string | undefined }[] = [
    {
      name: 'go on being heard when forwarding was off',
      case: { objects: [sysctl(forwarding, '0'), sysctl(acceptRa, '1')] },
      want: '2',
    },
    {
      name: 'go on being heard in later rounds',
      case: {
        objects: [sysctl(forwarding, '1'), sysctl(acceptRa, '2')],
        former: { [forwarding]: '0', [acceptRa]: '1' },
      },
      want: '2',
    },
    {
      name: 'are left alone where the host forwarded before us',
      case: { objects: [sysctl(forwarding, '1'), sysctl(acceptRa, '1')] },
      want: undefined,
    },
    {
      name: 'are left alone where they were ignored before us',
      case: { objects: [sysctl(forwarding, '0'), sysctl(acceptRa, '0')] },
      want: undefined,
    },
    {
      name: 'are left alone where somebody asked for them in any case',
      case: { objects: [sysctl(forwarding, '0'), sysctl(acceptRa, '2')] },
      want: undefined,
    },
    {
      name: 'are left alone without IPv6 pools',
      case: { settings: v4, objects: [sysctl(forwarding, '0'), sysctl(acceptRa, '1')] },
      want: undefined,
    },
    {
      name: 'are left alone where the default route is ours to set',
      case: {
        settings: gateway({ defaultRoutes: [parseIp('2001:db8:113::fe')] }),
        objects: [sysctl(forwarding, '0'), sysctl(acceptRa, '1')],
      },
      want: undefined,
    },
  ];
  for (const { name, case: given, want: wanted } of advertisements) {
    it(`router advertisements ${name}`, () => {
      expect(value(want(given), acceptRa)).to.equal(wanted);
    });
  }

  it('router advertisements on the LAN stay as they are: its router is no way to clients', () => {
    const heard = 'net/ipv6/conf/eth0/accept_ra';
    const result = want({ objects: [sysctl(forwarding, '0'), sysctl(heard, '1'), sysctl(acceptRa, '1')] });
    expect([value(result, heard), value(result, acceptRa)]).to.deep.equal([undefined, '2']);
  });

  it('of a missing interface are left out without a word of their own', () => {
    const result = want({ links: [lan] });
    expect(told(result)).to.deep.equal(['interface-missing: interface eth1']);
    expect(value(result, 'net/ipv4/conf/eth1/rp_filter')).to.equal(undefined);
    expect(value(result, 'net/ipv4/conf/eth0/rp_filter')).to.equal('0');
  });

  it('have the five-tuple decide, and no hash of a network card, where the kernel can', () => {
    const settings = gateway({ hash: 'ports' });
    const all = settingsOf(settings, twoLinks);
    const hashing = (known: readonly KernelObject[], of: Gateway) => {
      const result = gatewayObjects(snapshot([], []), of, listing(known), new Map());
      const at = (name: string) => value(result, `net/${name}`);
      return ['ipv4', 'ipv6'].map((ip) => [
        at(`${ip}/fib_multipath_hash_policy`),
        at(`${ip}/fib_multipath_hash_fields`),
      ]);
    };
    const twice = (...one: readonly (string | undefined)[]) => [one, one];
    expect(hashing(all, settings)).to.deep.equal(twice('3', '55'));
    const older = all.filter(({ name }) => !name.endsWith('hash_fields'));
    expect(hashing(older, settings)).to.deep.equal(twice('1', undefined));
    expect(hashing(all, gateway())).to.deep.equal(twice('0', undefined));
  });

  it('have the seed of the hash when one is configured, and no other', () => {
    const seed = 'net/ipv4/fib_multipath_hash_seed';
    const settings = gateway({ hashSeed: 7361 });
    expect(value(want({ settings }), seed)).to.equal('7361');
    expect(value(want({ objects: settingsOf(settings, twoLinks) }), seed)).to.equal(undefined);
  });

  it('go on without the seed on a kernel that has none, which is a warning', () => {
    const settings = gateway({ hashSeed: 7361 });
    const known = settingsOf(gateway(), twoLinks);
    const { problems } = gatewayObjects(snapshot([], []), settings, listing(known), new Map());
    expect(problems.map(({ code, severity }) => `${severity} ${code}`)).to.deep.equal(['warn hash-seed']);
  });

  it('give the interface of a virtual link-layer address a link-local one, which the other gateway may have', () => {
    const announce = { table: undefined, active: [], segment: 'eth1' };
    const settings = gateway({
      announce,
      pools: gateway().pools.map((pool) => ({ ...pool, announce: 'layer2' })),
    });
    const at = (mac: string, name: string) =>
      value(want({ settings, links: [lan, { ...uplink, mac }] }), `net/ipv6/conf/eth1/${name}`);
    for (const name of ['accept_dad', 'addr_gen_mode']) {
      expect(at('00:00:5e:00:01:33', name), name).to.equal('0');
      expect(at('02:00:5e:00:53:01', name), name).to.equal(undefined);
    }
  });

  it('have the interface of layer 2 forward, which answers for nobody without, and hears router advertisements all the same', () => {
    const announce = { table: undefined, active: [], segment: 'eth1' };
    const objects = [
      sysctl(forwarding, '1'),
      sysctl('net/ipv6/conf/eth1/forwarding', '0'),
      sysctl(acceptRa, '1'),
    ];
    const at = (settings: Gateway, name: string) => value(want({ settings, objects }), name);
    const layer2 = gateway({ announce });
    expect(at(layer2, 'net/ipv4/conf/eth1/forwarding')).to.equal('1');
    expect(at(layer2, 'net/ipv6/conf/eth1/forwarding')).to.equal('1');
    expect(at(layer2, acceptRa)).to.equal('2');
    expect(at(gateway(), 'net/ipv6/conf/eth1/forwarding')).to.equal(undefined);
    expect(at(gateway(), acceptRa)).to.equal(undefined);
  });

  it('that the kernel has not are reported', () => {
    const bare = gatewayObjects(snapshot([], []), gateway(), listing([]), new Map());
    const sixes = bare.problems.filter(({ advice }) => advice.includes('ipv6.disable=1'));
    expect(new Set(bare.problems.map(({ code }) => code))).to.deep.equal(new Set(['sysctl-missing']));
    expect(sixes.length).to.be.greaterThan(0);
    expect(bare.problems.length).to.be.greaterThan(sixes.length);
  });
});

describe('the announce table', () => {
  it('must be looked up by no rule of anybody', () => {
    const told = (lookedUp: readonly number[], announces = true) =>
      gatewayObjects(
        snapshot([], []),
        gateway(announces ? { announce: { table: 86, active: [] } } : {}),
        listing(settingsOf(gateway(), twoLinks), { lookedUp }),
        new Map(),
      ).problems.map(({ code, subject }) => `${code}: ${subject}`);
    expect(told([253, 254, 255, 87])).to.deep.equal([]);
    expect(told([254, 86])).to.deep.equal(['announce-table-in-use: table 86']);
    expect(told([86], false)).to.deep.equal([]);
  });
});

describe('nodes', () => {
  const far = node('far', ['10.9.9.9']);
  const cluster = snapshot([...threeNodes.slice(0, 1), far], [service('web', ['198.51.100.10'])]);
  const [nexthop] = want({ cluster }).objects.flatMap(({ object }) =>
    object.kind === 'nexthop' && object.via === '10.9.9.9' ? object : [],
  );
  if (nexthop === undefined) throw new Error('no nexthop for the far node');

  it('that the kernel refuses are left out and named', () => {
    const refused = refusal({ verb: 'add', want: nexthop }, 'ENETUNREACH', 'Nexthop has invalid gateway');
    const result = want({ cluster, refused });
    expect(told(result)).to.deep.equal(['node-not-on-lan: node far (10.9.9.9)']);
    expect(kinds(result, 'group')).to.deep.equal(['id 260000000 group 250000001 proto 86']);
  });

  it('are not left out when only their id belongs to another program now', () => {
    const refused = refusal({ verb: 'add', want: nexthop }, 'EEXIST');
    const result = want({ cluster, refused });
    expect(told(result)).to.deep.equal([]);
    expect(kinds(result, 'nexthop')).to.have.length(2);
    expect(kinds(result, 'nexthop').join()).to.not.include(`id ${nexthop.id} `);
  });

  it('that are this gateway itself are left out and named: a packet to it would not get on', () => {
    const both = snapshot([...threeNodes.slice(0, 1), node('me', ['10.0.0.1'])], cluster.services);
    const result = want({ cluster: both });
    expect(told(result)).to.deep.equal(['node-is-gateway: node me']);
    expect(kinds(result, 'nexthop')).to.deep.equal(['id 250000000 via 10.0.0.11 dev eth0 proto 86']);
  });

  it('that have the address of the router are left out and named: it would send the packets back', () => {
    const both = snapshot([...threeNodes.slice(0, 1), node('r', ['10.0.0.254'])], cluster.services);
    const result = want({ cluster: both, settings: gateway({ defaultRoutes: [parseIp('10.0.0.254')] }) });
    expect(told(result)).to.deep.equal(['node-is-router: node r (10.0.0.254)']);
    expect(kinds(result, 'nexthop')).to.deep.equal(['id 250000000 via 10.0.0.11 dev eth0 proto 86']);
  });

  it('keep the nexthop that the dump holds for them, and the lowest of two', () => {
    const twins = [250_000_009, 250_000_004].map((id) => ({ ...nexthop, id }));
    expect(kinds(want({ cluster, objects: twins }), 'nexthop')).to.include(
      'id 250000004 via 10.9.9.9 dev eth0 proto 86',
    );
  });

  it('get a new nexthop when the LAN is another interface', () => {
    const old = { ...nexthop, link: 99 };
    const lines = kinds(want({ cluster, objects: [old] }), 'nexthop');
    expect(lines.filter((line) => line.includes(`id ${old.id} `))).to.deep.equal([]);
  });
});
