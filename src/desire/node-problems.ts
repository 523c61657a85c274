import { family, type Ip, networkOf, overlaps, type Prefix, prefixLength } from '../model/ip.ts';
import type { Neighbour } from '../model/listing.ts';
import type { AgentGateway, NodeAgent } from '../model/node-agent.ts';
import type { Link } from '../model/object.ts';
import type { Problem, ProblemCode } from '../model/problem.ts';
import { addressOf, eipFamilies, gatewaysOf } from './node-view.ts';

/** Contradictions between the configuration and this machine. */
export function nodeProblems(agent: NodeAgent, links: readonly Link[]): readonly Problem[] {
  return [...interfaceProblems(agent, links), ...ownGateways(agent, links), ...overlapping(agent, links)];
}

/**
 * Gateways that do not answer now. Where none of a family does, no EIP of that family is answered through any.
 *
 * @param vanished gateways whose entries may have gone for want of use alone
 */
export function unresolved(
  agent: NodeAgent,
  neighbours: readonly Neighbour[],
  vanished: ReadonlySet<Ip>,
): readonly Problem[] {
  const silent = agent.gateways.filter(({ address }) => !neighbours.some(({ ip }) => ip === address));
  const isGone = (one: AgentGateway): boolean => silent.includes(one) && !vanished.has(one.address);
  const alone = eipFamilies(agent).filter((of) => gatewaysOf(agent, of).every(isGone));
  return silent.map(({ address }) => {
    const of = family(address);
    const [severity, others] = alone.includes(of)
      ? (['error', `no other gateway answers over IPv${of}`] as const)
      : (['warn', 'other gateways are unaffected'] as const);
    return {
      code: 'gateway-unresolved',
      severity,
      subject: `gateway ${address}`,
      message: `gateway ${address} does not answer ${of === 4 ? 'ARP' : 'NDP'} on ${agent.interface}; replies to clients that came through it are dropped`,
      advice: `see that it is up and on this LAN (ip neigh show ${address}); ${others}`,
    };
  });
}

function interfaceProblems(agent: NodeAgent, links: readonly Link[]): readonly Problem[] {
  const names = links
    .map(({ name }) => name)
    .filter((name) => name !== 'lo')
    .join(', ');
  const name = agent.interface;
  const link = links.find((one) => one.name === name);
  const problem = (code: ProblemCode, message: string, advice: string): Problem => ({
    code,
    severity: 'error',
    subject: `interface ${name ?? 'toward the gateways'}`,
    message,
    advice,
  });
  if (name === undefined) {
    const gateways = agent.gateways.map(({ address }) => address).join(', ');
    return [
      problem(
        'interface-missing',
        `no gateway (${gateways}) is on a directly connected network of this node; nothing is installed`,
        `set gateways to their addresses on the LAN of the nodes, or set interface to one of: ${names}`,
      ),
    ];
  }
  if (link === undefined) {
    return [
      problem(
        'interface-missing',
        `interface ${name} does not exist; nothing is installed until it is there`,
        `there are: ${names}`,
      ),
    ];
  }
  if (!link.up) {
    return [
      problem(
        'interface-down',
        `interface ${name} is down; nothing is changed until it is up`,
        `ip link set dev ${name} up`,
      ),
    ];
  }
  return eipFamilies(agent)
    .filter((of) => addressOf(agent, link, of) === undefined)
    .map((of) =>
      problem(
        of === 4 ? 'no-ipv4-address' : 'no-ipv6-address',
        `interface ${name} has no IPv${of} address, but eips holds IPv${of} networks`,
        `give the node one (ip address show dev ${name}), or take the networks out of eips`,
      ),
    );
}

/** A likely mistake: the node as its own gateway (`default via K8S_NODE_IP table 101`). */
function ownGateways(agent: NodeAgent, links: readonly Link[]): readonly Problem[] {
  return agent.gateways.flatMap(({ address }) => {
    const link = links.find(({ addresses }) => addresses.some(({ ip }) => ip === address));
    if (link === undefined) return [];
    return [
      {
        code: 'gateway-is-self',
        severity: 'error',
        subject: `gateway ${address}`,
        message: `gateway ${address} is this node's own address (${link.name}): "default via ${address}" would make the node look for every client on its own LAN (IPv4 drops the via without a word, IPv6 refuses it), and no reply would arrive`,
        advice: "name the gateway's address on the LAN of the nodes",
      },
    ];
  });
}

/** One for each network of an interface. */
function overlapping(agent: NodeAgent, links: readonly Link[]): readonly Problem[] {
  return networksOf(links).flatMap((one) => overlapsOf(agent, one).slice(0, 1));
}

/** One for each network of an interface and each of the EIPs that overlap it. */
export function allOverlapping(agent: NodeAgent, links: readonly Link[]): readonly Problem[] {
  return networksOf(links).flatMap((one) => overlapsOf(agent, one));
}

interface LinkNetwork {
  readonly network: Prefix;
  readonly link: string;
  readonly ip: Ip;
}

function networksOf(links: readonly Link[]): readonly LinkNetwork[] {
  // IPVS keeps all Service addresses on kube-ipvs0, and an EIP may be on lo.
  const usual = links.filter(({ name }) => name !== 'kube-ipvs0' && name !== 'lo');
  return usual.flatMap(({ name, addresses }) =>
    addresses.map(({ ip, length }) => ({ network: networkOf(ip, length), link: name, ip })),
  );
}

function overlapsOf({ eips }: NodeAgent, { network, link, ip }: LinkNetwork): readonly Problem[] {
  return eips
    .filter((eip) => overlaps(eip, network))
    .map((eip) => {
      const swallowed = prefixLength(network) < prefixLength(eip) ? 'lies in' : 'holds';
      return {
        code: 'eips-overlap-network',
        severity: 'error',
        subject: `eips ${eip}`,
        message: `${eip} of eips ${swallowed} ${network}, the network of ${link} (${ip}): the hosts there would be cut off`,
        advice: 'EIPs need networks of their own, that no interface of a node is in',
      };
    });
}
