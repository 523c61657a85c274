import type { DesiredObject, DesiredObjects, Why } from '../model/desired-object.ts';
import { anyPrefix, type Family, family, type Ip, type Prefix } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import { type KernelObject, type Key, keyOf, type Link, type Route, type Rule } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { drainTables } from './drain-table.ts';
import { nodeProblems, unresolved } from './node-problems.ts';
import { agentTable, type KnownGateway, reachMark } from './node-table.ts';
import { addressOf, eipFamilies, gatewaysOf } from './node-view.ts';
import type { Add } from './plain-routes.ts';

/**
 * All objects that a node agent desires.
 *
 * A missing interface, or one that is down, freezes everything: Linux deletes the objects that depend on it, and the
 * others stay until the interface is back.
 *
 * @param seen last known link-layer addresses of gateways. A silent gateway keeps its objects for its return.
 * @param vanished gateways that were there before the last dump: they have been asked, and the next dump tells
 */
export function nodeObjects(
  agent: NodeAgent,
  have: Listing,
  seen: ReadonlyMap<Ip, string>,
  vanished: ReadonlySet<Ip> = new Set(),
): DesiredObjects {
  const objects: DesiredObject[] = [];
  const add: Add = (object, why) => objects.push({ key: keyOf(object), object, why });
  const problems: Problem[] = [...nodeProblems(agent, have.links)];
  const link = have.links.find(({ name }) => name === agent.interface);
  if (link === undefined || !link.up) {
    for (const object of have.objects.values()) {
      if (object.kind !== 'sysctl')
        add(object, { text: `kept while interface ${agent.interface} is not there` });
    }
    addReversePath(agent, have, add);
    return { objects, problems, complete: true };
  }
  const own = new Set(have.links.flatMap(({ addresses }) => addresses.map(({ ip }) => ip)));
  const usable: NodeAgent = { ...agent, gateways: agent.gateways.filter(({ address }) => !own.has(address)) };
  const known = knownGateways(usable, have, seen);
  problems.push(...unresolved(usable, have.neighbours, vanished));

  addReversePath(usable, have, add);
  const table = agentTable(usable, link.name, known);
  add(table, { text: 'connection marks by gateway, and the guard of this node' });
  for (const each of drainTables(usable, link, own, known))
    add(each, { text: 'connections that began on a node that drains' });
  const guarded = have.objects.has(keyOf(table));
  for (const of of eipFamilies(usable)) {
    addRoutes(usable, of, link, have, add);
    addMarkRules(usable, of, add);
    // Without the nft table these would expose every socket of the node under the EIPs.
    addEipRules(usable, of, (rule, why) => {
      if (guarded || have.objects.has(keyOf(rule))) add(rule, why);
    });
  }
  return { objects, problems, complete: true, unfinished: !guarded };
}

/** Gateways that answer now first, then in the order of the configuration: two may have had the same address. */
function knownGateways(
  agent: NodeAgent,
  have: Listing,
  seen: ReadonlyMap<Ip, string>,
): readonly KnownGateway[] {
  const now = new Map(have.neighbours.map(({ ip, mac }) => [ip, mac]));
  const known = agent.gateways.flatMap((gateway) => {
    const mac = now.get(gateway.address) ?? seen.get(gateway.address);
    return mac === undefined ? [] : [{ gateway, mac }];
  });
  return known.sort((a, b) => Number(now.has(b.gateway.address)) - Number(now.has(a.gateway.address)));
}

function addRoutes(agent: NodeAgent, of: Family, link: Link, have: Listing, add: Add): void {
  const loopback = have.links.find(({ name }) => name === 'lo');
  const base = {
    kind: 'route',
    metric: of === 4 ? 0 : 1024,
    protocol: agent.protocol,
    nhid: undefined,
  } as const;
  const eips = agent.eips.filter((prefix) => family(prefix) === of);
  for (const dst of agent.literalLocal ? [anyPrefix(of)] : eips) {
    const route: Route = {
      ...base,
      table: agent.localTable,
      dst,
      type: 'local',
      hops: [{ via: undefined, link: loopback?.index, weight: 1 }],
      // Without it, the EIP itself is the source of packets from the node to it. IPv6 selects the node's address.
      src: of === 4 ? addressOf(agent, link, of) : undefined,
    };
    add(route, { text: 'packets to an EIP end here' });
  }
  for (const { address, table } of gatewaysOf(agent, of)) {
    const route: Route = {
      ...base,
      table,
      dst: anyPrefix(of),
      type: 'unicast',
      hops: [{ via: address, link: link.index, weight: 1 }],
      src: undefined,
    };
    add(route, { text: `gateway ${address}` });
  }
}

function addMarkRules(agent: NodeAgent, of: Family, add: Add): void {
  gatewaysOf(agent, of).forEach(({ address, table, mark }, i) => {
    const why: Why = { text: `replies to what came through ${address}` };
    add(
      {
        ...ruleOf(agent, of, agent.priorities.marks + i, table),
        mark: { value: mark, mask: agent.markMask },
      },
      why,
    );
  });
}

function addEipRules(agent: NodeAgent, of: Family, add: Add): void {
  const first = gatewaysOf(agent, of)[0];
  const { local, replies } = agent.priorities;
  for (const eip of agent.eips) {
    if (family(eip) !== of) continue;
    const here: Rule = { ...ruleOf(agent, of, local, agent.localTable), to: eip };
    if (of === 4) {
      add(here, { text: 'packets to an EIP end here' });
    } else {
      // IPv6 checks all tables for local addresses, and kube-proxy would serve every nodePort on the EIPs. That check
      // has no mark, packets have one.
      const mark = { value: reachMark(agent), mask: agent.markMask };
      add({ ...here, mark }, { text: 'packets to an EIP end here' });
      if (first)
        add(toward(agent, eip, replies, first.table), { text: 'sockets of this node find a way to an EIP' });
    }
    if (first) {
      add(
        { ...ruleOf(agent, of, replies, first.table), from: eip },
        { text: 'what this node sends from an EIP' },
      );
    }
  }
}

function toward(agent: NodeAgent, eip: Prefix, priority: number, table: number): Rule {
  return { ...ruleOf(agent, family(eip), priority, table), to: eip };
}

function ruleOf(agent: NodeAgent, of: Family, priority: number, table: number): Rule {
  return {
    kind: 'rule',
    family: of,
    priority,
    protocol: agent.protocol,
    table,
    from: undefined,
    to: undefined,
    mark: undefined,
    iif: undefined,
  };
}

/** Paths of all sysctls that {@link nodeObjects} may desire, for the listing. */
export function nodeSysctlNames({ interface: link }: NodeAgent): readonly string[] {
  return link === undefined ? [] : [filterOf('all'), filterOf(link)];
}

/**
 * A strict reverse path filter drops packets of clients whose replies leave by another interface. The kernel uses the
 * larger of `all` and the interface: 2 (loose) wins over 1.
 */
function addReversePath(agent: NodeAgent, have: Listing, add: Add): void {
  if (agent.interface === undefined) return;
  const name = filterOf(agent.interface);
  const before = (path: string): string | undefined => {
    const object = have.objects.get(`sysctl ${path}` satisfies Key);
    return have.formerSysctls.get(path) ?? (object?.kind === 'sysctl' ? object.value : undefined);
  };
  const own = before(name);
  const strict = Math.max(Number(own), Number(before(filterOf('all')))) === 1;
  const want: KernelObject = { kind: 'sysctl', name, value: '2' };
  if (own !== undefined && strict)
    add(want, { text: 'clients come in where the default route does not lead' });
}

function filterOf(link: string): string {
  return `net/ipv4/conf/${link}/rp_filter`;
}
