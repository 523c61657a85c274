import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { feedFailure } from '../../src/cluster/failure.ts';
import { fileCluster } from '../../src/cluster/file.ts';
import { readKubeconfig } from '../../src/cluster/kubeconfig.ts';
import { loadKubeconfig } from '../../src/cluster/kubeconfig-files.ts';
import { ApiError, CredentialsError, UnreachableError } from '../../src/cluster/transport.ts';
import { problemLine } from '../../src/config/config-problem.ts';
import { readGatewayConfig } from '../../src/config/load.ts';
import { readNodeConfig } from '../../src/config/load-node.ts';
import { ask, unanswered } from '../../src/daemon/ask.ts';
import { needFolder } from '../../src/daemon/folders.ts';
import { lock } from '../../src/daemon/lock.ts';
import { nodeProblems, unresolved } from '../../src/desire/node-problems.ts';
import { refusedDefault } from '../../src/desire/plain-routes.ts';
import { nftProblem } from '../../src/kernel/nft.ts';
import { missing } from '../../src/kernel/requirements.ts';
import { parseIp, parsePrefix } from '../../src/model/ip.ts';
import type { NodeAgent } from '../../src/model/node-agent.ts';
import type { Link } from '../../src/model/object.ts';
import type { Problem } from '../../src/model/problem.ts';
import { agent } from '../node-agent.ts';
import { gateway, node, Scene, service, snapshot, threeNodes } from '../scene.ts';
import { run } from './cli/world.ts';

// What people do wrong, and what they are told. A sentence has to say what, where, why, and what to do: each of the four
// is a pattern here. docs/errors.md is written by this test.

interface Mistake {
  readonly name: string;
  readonly says: () => Promise<string> | string;
  readonly what: RegExp;
  readonly where: RegExp;
  readonly why: RegExp;
  readonly advice: RegExp;
}

const page = new URL('../../docs/errors.md', import.meta.url);

function sentence({ message, advice }: Pick<Problem, 'message' | 'advice'>): string {
  return `${message}; ${advice}`;
}

function thrown(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof CredentialsError) return sentence(error);
    throw error;
  }
  throw new Error('nothing was wrong');
}

async function rejected(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => {
      throw new Error('nothing was wrong');
    },
    (error: Error) => error.message,
  );
}

/** In a folder of its own, which the sentence calls by another name. */
async function within(as: string, work: (folder: string) => Promise<string> | string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'eiproute-mistakes-'));
  try {
    return (await work(folder)).replaceAll(folder, as);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const file = '/etc/eiproute/kubeconfig';
const kubeconfig = (text: string, context?: string): string =>
  thrown(() => readKubeconfig(file, [{ file, text }], context));

const some = `apiVersion: v1
kind: Config
current-context: a
contexts: [{ name: a, context: { cluster: c, user: u } }, { name: b, context: { cluster: c, user: u } }]
clusters: [{ name: c, cluster: { server: 'https://10.0.0.10:6443' } }]
users: [{ name: u, user: { token: t } }]
`;

function unreachable(code: string, server = 'https://10.0.0.10:6443'): string {
  const cause = Object.assign(new Error(code), { code });
  return feedFailure(new UnreachableError(server, file, cause), 'nodes', 'silent');
}

const request = { file: '/etc/eiproute/gateway.yaml', env: {}, flags: [], cwd: '/' };
const good = 'lan: eth0\nuplink: eth1\npools: [{ name: a, addresses: [198.51.100.0/24] }]\n';

function checked(text: string): string {
  const result = readGatewayConfig(Buffer.from(text), request);
  return result.kind === 'refused' ? result.errors.map(problemLine).join('\n') : 'taken';
}

function nodeChecked(text: string): string {
  const result = readNodeConfig(Buffer.from(text), { ...request, file: '/etc/eiproute/node.yaml' });
  return result.kind === 'refused' ? result.errors.map(problemLine).join('\n') : 'taken';
}

async function problem(code: string, scene: Scene): Promise<string> {
  const { problems } = await scene.round('cluster');
  const found = problems.find((one) => one.code === code);
  if (found === undefined) throw new Error(`no ${code} among ${problems.map((one) => one.code).join(', ')}`);
  return sentence(found);
}

const eth0: Link = {
  index: 2,
  name: 'eth0',
  up: true,
  carrier: true,
  addresses: [{ ip: parseIp('10.0.0.11'), length: 24 }],
};

function ofNode(changed: Partial<NodeAgent>, links: readonly Link[] = [eth0]): string {
  const [first] = nodeProblems({ ...agent, ...changed }, links);
  if (first === undefined) throw new Error('nothing was wrong');
  return sentence(first);
}

async function ofFile(content: string | undefined): Promise<string> {
  return await within('/var/lib', async (folder) => {
    const path = join(folder, 'cluster.json');
    if (content !== undefined) writeFileSync(path, content);
    await using cluster = fileCluster(path);
    const stop = new AbortController();
    for await (const _ of cluster.changes(stop.signal)) {
      const [{ trouble } = { trouble: undefined }] = cluster.overview().feeds;
      if (trouble !== undefined) return trouble;
    }
    throw new Error('nothing was wrong');
  });
}

const refusedBy = (code: string): NodeJS.ErrnoException => Object.assign(new Error(code), { code });

const mistakes: readonly Mistake[] = [
  {
    name: 'the path of the kubeconfig is wrong',
    says: () => thrown(() => loadKubeconfig({ kubeconfig: '/etc/eiproute/kubeconfg', context: undefined })),
    what: /cannot be used/,
    where: /^kubeconfig \/etc\/eiproute\/kubeconfg /,
    why: /ENOENT/,
    advice: /; put the kubeconfig there or correct "kubeconfig"/,
  },
  {
    name: 'the kubeconfig is empty',
    says: () => kubeconfig(''),
    what: /cannot be used/,
    where: /\/etc\/eiproute\/kubeconfig/,
    why: /it is empty/,
    advice: /compare it with a kubeconfig that kubectl accepts/,
  },
  {
    name: 'the kubeconfig is broken YAML',
    says: () => kubeconfig('a: ['),
    what: /cannot be used/,
    where: /kubeconfig:1:\d/,
    why: /not YAML/,
    advice: /kubectl accepts/,
  },
  {
    name: 'its context does not exist',
    says: () => kubeconfig(some, 'prod'),
    what: /no context "prod"/,
    where: /\/etc\/eiproute\/kubeconfig/,
    why: /has no context/,
    advice: /\ba\b.*\bb\b/,
  },
  ...(
    [
      ['the API host is unreachable', 'EHOSTUNREACH', /no route to host/, /ip route get 10.0.0.10/],
      ['its name cannot be resolved', 'EAI_AGAIN', /no DNS server answers/, /getent ahosts/],
      ['the API refuses connections', 'ECONNREFUSED', /nothing listens there/, /curl -k https:\/\/10.0.0.10/],
      [
        'packets to the API are dropped',
        'UND_ERR_CONNECT_TIMEOUT',
        /lost or dropped/,
        /ip route get 10.0.0.10/,
      ],
      [
        'its certificate is of another authority',
        'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        /certificate/,
        /certificate-authority/,
      ],
      ["this host's clock is behind", 'CERT_NOT_YET_VALID', /not valid yet/, /timedatectl/],
      ['its certificate has ended', 'CERT_HAS_EXPIRED', /has ended/, /timedatectl.*renew/],
      [
        'its certificate is for other names',
        'ERR_TLS_CERT_ALTNAME_INVALID',
        /other names/,
        /tls-server-name/,
      ],
    ] as const
  ).map(
    ([name, code, why, advice]): Mistake => ({
      name,
      says: () => unreachable(code),
      what: /cannot reach the Kubernetes API|is not trusted/,
      where: /10\.0\.0\.10:6443.*\/etc\/eiproute\/kubeconfig/,
      why,
      advice,
    }),
  ),
  {
    name: 'the token is wrong',
    says: () => feedFailure(new ApiError(401, 'Unauthorized'), 'nodes', 'ready'),
    what: /401/,
    where: /credentials/,
    why: /refused, also after reading them again/,
    advice: /renew the token or certificate/,
  },
  {
    name: 'the interface of lan does not exist',
    says: () => problem('interface-missing', new Scene(snapshot(threeNodes, []), gateway({ lan: 'enp9s0' }))),
    what: /no EIP can be routed until it appears/,
    where: /enp9s0/,
    why: /does not exist/,
    advice: /ip link.*correct lan or uplink/,
  },
  {
    name: '`pool` is written for `pools`',
    says: () => checked('lan: eth0\nuplink: eth1\npool: [{ name: a, addresses: [192.0.2.1] }]\n'),
    what: /pool: unknown key/,
    where: /gateway.yaml:3:1/,
    why: /unknown key/,
    advice: /did you mean "pools"/,
  },
  {
    name: 'two pools overlap',
    says: () =>
      checked(
        'lan: a\nuplink: b\npools:\n  - { name: x, addresses: [198.51.100.0/24] }\n  - { name: y, addresses: [198.51.100.7] }\n',
      ),
    what: /198.51.100.7 of pool "y"/,
    where: /gateway.yaml:5:\d+/,
    why: /overlaps 198.51.100.0\/24 of pool "x"/,
    advice: /of pool "x"/,
  },
  {
    name: 'a line is indented with a tab',
    says: () => checked('lan: a\nuplink: b\nlog:\n\tlevel: info\n'),
    what: /indented with a tab/,
    where: /gateway.yaml:4:/,
    why: /YAML/,
    advice: /spaces|blanks/,
  },
  {
    name: 'a network has host bits',
    says: () => checked('lan: a\nuplink: b\npools: [{ name: x, addresses: [198.51.100.7/24] }]\n'),
    what: /198.51.100.7\/24/,
    where: /gateway.yaml:3:\d+/,
    why: /host bits set/,
    advice: /the network is 198.51.100.0\/24/,
  },
  {
    name: 'a range is reversed',
    says: () => checked('lan: a\nuplink: b\npools: [{ name: x, addresses: [192.0.2.9-192.0.2.1] }]\n'),
    what: /192.0.2.9-192.0.2.1/,
    where: /gateway.yaml:3:\d+/,
    why: /ends before it starts/,
    advice: /ends before it starts/,
  },
  {
    name: 'name and type of a value are wrong',
    says: () => checked(`${good}log: { levle: 5 }\n`),
    what: /log.levle: unknown key/,
    where: /gateway.yaml:4:\d+/,
    why: /unknown key/,
    advice: /did you mean "level"/,
  },
  {
    name: 'several mistakes at once',
    says: () =>
      checked(
        'lan: eth0\nuplink: eth1\nprotocol: 186\npools: [{ name: a, addresses: [300.1.1.0/24] }]\ndefaultRoute: { via: 203.0.113.254 }\npace: { resync: 60 }\nlog: { level: loud }\n',
      ),
    what: /300.1.1.0[\s\S]*needs a unit|needs a unit[\s\S]*300.1.1.0/,
    where: /:3:\d+[\s\S]*:4:\d+[\s\S]*:6:\d+[\s\S]*:7:\d+/,
    why: /186/,
    advice: /60ms, 60s or 60m\?[\s\S]*debug, info, warn or error/,
  },
  {
    name: 'a pool holds the address of a node',
    says: () =>
      problem(
        'pool-holds-reserved',
        new Scene(
          snapshot([...threeNodes, node('n9', ['198.51.100.9'])], []),
          gateway({ pools: [{ name: 'public', addresses: [parsePrefix('198.51.100.0/24')] }] }),
        ),
      ),
    what: /pool public/,
    where: /198.51.100.0\/24/,
    why: /198.51.100.9.*n9/,
    advice: /; write the pool as ranges that leave 198.51.100.9 out/,
  },
  {
    name: 'a pool is the whole Internet',
    says: () => checked('lan: a\nuplink: b\npools: [{ name: x, addresses: [0.0.0.0/0] }]\n'),
    what: /0.0.0.0\/0/,
    where: /gateway.yaml:3:\d+/,
    why: /no EIP can have/,
    advice: /name networks that are routed to this gateway/,
  },
  {
    name: 'the router of the default route is not on the uplink',
    says: () =>
      sentence(refusedDefault(parseIp('192.0.2.1'), 'eth1', 'ENETUNREACH: Nexthop has invalid gateway')),
    what: /default route via 192.0.2.1/,
    where: /on eth1 was refused/,
    why: /Nexthop has invalid gateway/,
    advice: /ip address show dev eth1/,
  },
  {
    name: 'the daemon has no CAP_NET_ADMIN',
    says: () => missing({ release: '6.1.0', status: 'CapEff:\t0\n' }).map(sentence).join(),
    what: /may not change routes/,
    where: /this process/,
    why: /CAP_NET_ADMIN is not among/,
    advice: /; Run it as root, or give the systemd unit AmbientCapabilities=CAP_NET_ADMIN/,
  },
  {
    name: 'the state directory is a file',
    says: () =>
      within('/var/lib', async (folder) => {
        writeFileSync(join(folder, 'eiproute'), '');
        return await rejected(needFolder('stateDirectory', join(folder, 'eiproute')));
      }),
    what: /^stateDirectory/,
    where: /\/var\/lib\/eiproute/,
    why: /is a file, and must be a directory/,
    advice: /move that file away, or set stateDirectory/,
  },
  {
    name: 'the file of `source` does not exist',
    says: () => ofFile(undefined),
    what: /cannot be read/,
    where: /\/var\/lib\/cluster.json/,
    why: /there is no such file/,
    advice: /kubectl get services,endpointslices,nodes/,
  },
  {
    name: 'the file of `source` is broken',
    says: () => ofFile('{"kind": "List", "items": [\n'),
    what: /Unexpected end of JSON/,
    where: /cluster.json: line 2/,
    why: /what was read before stays in use/,
    advice: /kubectl get services,endpointslices,nodes/,
  },
  {
    name: 'a second daemon is started',
    says: () =>
      within('/run/eiproute', async (folder) => {
        await using _first = await lock(251, folder);
        return (await rejected(lock(251, folder))).replaceAll(String(process.pid), '1234');
      }),
    what: /another eiproute already manages routes of protocol 251/,
    where: /in this network namespace/,
    why: /already/,
    advice: /stop it first: it is process 1234 \(systemctl status 1234/,
  },
  {
    name: 'no daemon runs',
    says: () =>
      within('/run/eiproute', (folder) =>
        rejected(ask(folder, 'gateway', 'GET', '/status', new AbortController().signal)),
      ),
    what: /no gateway daemon answers/,
    where: /\/run\/eiproute\/gateway.sock/,
    why: /there is no such socket/,
    advice: /systemctl status eiproute-gateway/,
  },
  {
    name: 'a user may not ask the daemon',
    says: () => unanswered('gateway', 'GET', '/run/eiproute/gateway.sock', refusedBy('EACCES')).message,
    what: /may not talk to the daemon/,
    where: /\/run\/eiproute\/gateway.sock/,
    why: /only root and members of the group eiproute/,
    advice: /usermod -aG eiproute/,
  },
  {
    name: "a node's gateway is the node itself",
    says: () => ofNode({ gateways: [{ address: parseIp('10.0.0.11'), table: 101, mark: 1 }] }),
    what: /gateway 10.0.0.11/,
    where: /\(eth0\)/,
    why: /this node's own address/,
    advice: /name the gateway's address on the LAN/,
  },
  {
    name: "a node's gateway is not on its LAN",
    says: () =>
      ofNode({ interface: undefined, gateways: [{ address: parseIp('192.0.2.77'), table: 101, mark: 1 }] }),
    what: /nothing is installed/,
    where: /192.0.2.77/,
    why: /is on a directly connected network of this node/,
    advice: /set gateways to.*or set interface to one of: eth0$/,
  },
  {
    name: "a node's gateway is silent",
    says: () => unresolved(agent, [], new Set()).map(sentence).join(),
    what: /does not answer ARP/,
    where: /10.0.0.1 .*eth0/,
    why: /replies to clients that came through it are dropped/,
    advice: /ip neigh show 10.0.0.1/,
  },
  {
    name: 'EIPs lie in the network of a node',
    says: () => ofNode({ eips: [parsePrefix('10.0.0.128/25')] }),
    what: /10.0.0.128\/25 of eips/,
    where: /10.0.0.0\/24, the network of eth0/,
    why: /would be cut off/,
    advice: /networks of their own/,
  },
  {
    name: "a node's interface does not exist",
    says: () => ofNode({ interface: 'eth9' }),
    what: /nothing is installed/,
    where: /eth9/,
    why: /does not exist/,
    advice: /there are: eth0/,
  },
  {
    name: 'a node has IPv6 EIPs and no IPv6 gateway',
    says: () => nodeChecked('eips: [198.51.100.0/24, "2001:db8:e::/64"]\ngateways: [10.0.0.1]\n'),
    what: /gateways: has no IPv6 address/,
    where: /node.yaml:2:\d+/,
    why: /eips holds "2001:db8:e::\/64"/,
    advice: /add the gateway's IPv6 address on the LAN, or take that network out/,
  },
  {
    name: 'a node has no nft',
    says: async () => {
      const { PATH } = process.env;
      process.env['PATH'] = '';
      try {
        const found = await nftProblem();
        return found === undefined ? 'nothing was wrong' : sentence(found);
      } finally {
        process.env['PATH'] = PATH;
      }
    },
    what: /cannot run nft/,
    where: /in PATH/,
    why: /there is no program nft/,
    advice: /apt-get install nftables/,
  },
  {
    name: "a gateway's command is asked with a node's file",
    says: () =>
      within('/etc/eiproute', async (folder) => {
        const config = join(folder, 'node.yaml');
        writeFileSync(config, 'eips: [198.51.100.0/24]\ngateways: [10.0.0.1]\n');
        return (await run(['pools', '--config', config])).stderr.trim();
      }),
    what: /is the configuration of a node/,
    where: /\/etc\/eiproute\/node.yaml/,
    why: /pools belong to the gateway/,
    advice: /ask there, or name its file with --config/,
  },
  {
    name: 'there is no such command',
    says: async () => (await run(['stauts'])).stderr.trim(),
    what: /unknown command/,
    where: /'stauts'/,
    why: /unknown/,
    advice: /Did you mean status\?\); see "eiproute --help"/,
  },
  {
    name: 'two Services hold one address and port',
    says: () =>
      problem(
        'eip-port-twice',
        new Scene(
          snapshot(threeNodes, [service('web', ['198.51.100.10']), service('dup', ['198.51.100.10'])]),
        ),
      ),
    what: /Services default\/dup and default\/web/,
    where: /198.51.100.10/,
    why: /same port TCP\/80/,
    advice: /; give all but one of the Services another address or port/,
  },
];

describe('what a person is told of a mistake', () => {
  const told = new Map<string, string>();

  for (const { name, says, ...parts } of mistakes) {
    it(`says what, where, why and what to do when ${name}`, async () => {
      const text = await says();
      told.set(name, text);
      for (const [part, pattern] of Object.entries(parts)) expect(text, part).to.match(pattern);
    });
  }

  it('is in docs/errors.md (UPDATE_DOCS=1 writes it)', () => {
    const blocks = [...told].map(
      ([name, text]) => `## ${name[0]?.toUpperCase()}${name.slice(1)}\n\n\`\`\`\n${text}\n\`\`\`\n`,
    );
    const anew = `# Errors in words

What the program says of the mistakes that people make most: what is wrong, where, why, and what to do. A test makes this page
from the program itself. What is already routed stays as it is in each of these cases.

${blocks.join('\n')}`;
    if (process.env['UPDATE_DOCS']) writeFileSync(page, anew);
    expect(readFileSync(page, 'utf8')).to.equal(anew);
  });
});
