import type { Endpoint, Node, Service } from '../model/cluster.ts';
import { type Family, family, type Ip, ipBytes } from '../model/ip.ts';
import { type FormerNodes, noFormerNodes } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import { coveringFor, heaviest } from './covering.ts';

/** A node that may take an EIP's traffic. */
export interface Carrier {
  readonly node: string;
  readonly ip: Ip;
  /** 1..256; 1 unless nodes are weighed by their endpoints. */
  readonly weight: number;
  /** The address that decides its place in a group, when that is not `ip`; see `byPlace`. */
  readonly place?: Ip;
}

/** A node that can be a nexthop, with its first InternalIP of each family. */
export interface Candidate {
  readonly ipv4: Ip | undefined;
  readonly ipv6: Ip | undefined;
  /** The addresses that it had until recently, when it was recreated with others; absent: it was not. */
  readonly before?: Candidate;
}

/** The address of a family; undefined: the node has none, or cannot be a nexthop. */
export function addressIn(candidate: Candidate | undefined, of: Family): Ip | undefined {
  return of === 4 ? candidate?.ipv4 : candidate?.ipv6;
}

/** The nodes that can be nexthops. */
export interface Candidates {
  /** By name, in the order of the names. */
  readonly byName: ReadonlyMap<string, Candidate>;
  /** Names of the nodes that exist, and that Kubernetes excludes from load balancers. */
  readonly leftOut: ReadonlySet<string>;
  /**
   * The addresses of nodes that were candidates until recently, by name; also of a node that is registered again, and
   * lacks one of them.
   */
  readonly former: ReadonlyMap<string, Candidate>;
  /**
   * The carriers of every Service under Cluster, by cluster and family: sorted by node name, each address once, with
   * the weights of those that cover for former ones. A cluster without nodes is absent.
   */
  readonly every: ReadonlyMap<string | undefined, EveryNode>;
}

export type EveryNode = Readonly<Record<Family, readonly Carrier[]>>;

const noNodes: EveryNode = { 4: [], 6: [] };

/**
 * The nodes that carry for a Service under Cluster: those of its own cluster.
 *
 * @param cluster undefined: there is one, without a name
 */
export function everyNode({ every }: Pick<Candidates, 'every'>, cluster: string | undefined): EveryNode {
  return every.get(cluster) ?? noNodes;
}

/**
 * The nodes that Kubernetes lets a load balancer use. `Ready=False` alone is no reason to leave a node out: a kubelet
 * that is cut off does not stop the dataplane.
 *
 * @param lately the nodes that carried until recently; absent: no node is covered for
 */
export function candidates(nodes: readonly Node[], lately: FormerNodes = noFormerNodes): Candidates {
  const able = nodes.filter((node) => leftOut(node) === undefined);
  const byName = new Map<string, Candidate>();
  const clusters = new Map<string | undefined, Map<string, Candidate>>();
  for (const { name, cluster, addresses } of [...able].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const former = lately.deleted.get(name);
    const candidate = {
      ...candidateOf(addresses),
      ...(former === undefined ? {} : { before: candidateOf(former) }),
    };
    byName.set(name, candidate);
    const inside = clusters.get(cluster);
    if (inside) inside.set(name, candidate);
    else clusters.set(cluster, new Map([[name, candidate]]));
  }
  const others = nodes.filter(({ name }) => !byName.has(name));
  const former = formerOf(byName, others, lately);
  const every = [...clusters].map(([cluster, inside]) => {
    const covered = lately.covered.get(cluster);
    const inFamily = (of: Family): readonly Carrier[] => {
      const all = carriersOf(inside, of);
      if (covered === undefined || covered[of].size === 0) return [...all.values()];
      return coveringFor([...all.values()], gone(covered[of], all, { byName, former }, of));
    };
    return [cluster, { 4: inFamily(4), 6: inFamily(6) }] as const;
  });
  return { byName, leftOut: new Set(others.map(({ name }) => name)), former, every: new Map(every) };
}

function candidateOf(addresses: readonly Ip[]): Candidate {
  const usableOf = (of: Family) => (ip: Ip) => family(ip) === of && cannotBeNode(ip) === undefined;
  return { ipv4: addresses.find(usableOf(4)), ipv6: addresses.find(usableOf(6)) };
}

/** @param others the nodes that are left out */
function formerOf(
  byName: ReadonlyMap<string, Candidate>,
  others: readonly Node[],
  { deleted, covered }: FormerNodes,
): ReadonlyMap<string, Candidate> {
  const former = new Map<string, Candidate>();
  for (const [name, addresses] of deleted) {
    const before = candidateOf(addresses);
    // A Node that is registered again may get its addresses a moment later.
    const isLacking = (of: Family): boolean =>
      addressIn(before, of) !== undefined && addressIn(byName.get(name), of) === undefined;
    if (isLacking(4) || isLacking(6)) former.set(name, before);
  }
  for (const { name, cluster, addresses } of others) {
    const names = covered.get(cluster);
    if (names?.[4].has(name) || names?.[6].has(name)) former.set(name, candidateOf(addresses));
  }
  return former;
}

/** The named nodes whose address is not among the carriers'; each address once. */
function gone(
  names: Iterable<string>,
  carrying: ReadonlyMap<Ip, Carrier>,
  { byName, former }: Pick<Candidates, 'byName' | 'former'>,
  of: Family,
): readonly Carrier[] {
  const found = new Map<Ip, Carrier>();
  for (const node of names) {
    const candidate = byName.get(node);
    const ip = addressIn(candidate, of) ?? addressIn(former.get(node), of);
    if (ip !== undefined && !carrying.has(ip)) found.set(ip, carrierOf(node, ip, placeOf(candidate, of), 1));
  }
  return [...found.values()];
}

function carriersOf(nodes: ReadonlyMap<string, Candidate>, of: Family): ReadonlyMap<Ip, Carrier> {
  const all = new Map<Ip, Carrier>();
  for (const [node, candidate] of nodes) {
    const ip = addressIn(candidate, of);
    if (ip !== undefined && !all.has(ip)) all.set(ip, carrierOf(node, ip, placeOf(candidate, of), 1));
  }
  return all;
}

/** The address that decides its place in a group; undefined: its own does. */
function placeOf(candidate: Candidate | undefined, of: Family): Ip | undefined {
  const place = addressIn(candidate?.before, of);
  return place === addressIn(candidate, of) ? undefined : place;
}

function carrierOf(node: string, ip: Ip, place: Ip | undefined, weight: number): Carrier {
  return place === undefined ? { node, ip, weight } : { node, ip, weight, place };
}

/** Addresses among the InternalIPs of nodes that no node can have, and those that several nodes have. */
export function addressProblems(nodes: readonly Node[]): readonly Problem[] {
  const problems = nodes.flatMap(({ name, addresses }) =>
    addresses.flatMap((ip) => {
      const why = cannotBeNode(ip);
      return why === undefined ? [] : [notANode(name, ip, why)];
    }),
  );
  const owners = new Map<Ip, Node>();
  for (const node of nodes)
    for (const ip of new Set(node.addresses)) {
      const owner = owners.get(ip) ?? node;
      owners.set(ip, owner);
      if (owner === node) continue;
      const told = owner.cluster === node.cluster ? ofTwoNodes : inTwoClusters;
      problems.push(told(ip, owner, node));
    }
  return problems;
}

/** A machine that was registered under another name, or an address that another machine has got since. */
function ofTwoNodes(ip: Ip, owner: Node, node: Node): Problem {
  return {
    code: 'node-address-twice',
    severity: 'warn',
    subject: `node ${node.name} (${ip})`,
    message: `node ${node.name} has ${ip} as an InternalIP, and so has node ${owner.name}: they are one machine to the gateway, which drains or is left out only when both are`,
    advice: `delete the Node whose machine is gone, or has another name now (kubectl delete node); if both machines run, give them addresses of their own`,
    node: node.name,
  };
}

/** Only one host answers for the address on the LAN, with the kube-proxy of one cluster. */
function inTwoClusters(ip: Ip, owner: Node, node: Node): Problem {
  return {
    code: 'node-address-in-two-clusters',
    severity: 'error',
    subject: `node ${node.name} (${ip})`,
    message: `node ${node.name} has ${ip} as an InternalIP, and so has node ${owner.name}: the packets of both clusters go to one host, which serves one of them`,
    advice:
      'give the nodes of the clusters addresses of their own, or take the node out of the cluster that it has left',
    node: node.name,
  };
}

/**
 * Why an address cannot be that of a node, as the end of a sentence; undefined: it can. Linux takes some of these
 * as nexthops all the same, and loses the packets.
 */
function cannotBeNode(ip: Ip): string | undefined {
  const bytes = ipBytes(ip);
  const [first = 0, second = 0] = bytes;
  if (bytes.every((byte) => byte === 0)) return 'is the unspecified address';
  if (bytes.length === 4) {
    if (first === 0) return 'is in 0.0.0.0/8, which no host has';
    if (first === 127) return 'is a loopback address';
    if (first === 169 && second === 254) return 'is a link-local address';
    if (first >= 224 && first < 240) return 'is a multicast address';
    return first >= 240 ? 'is in 240.0.0.0/4, which no host has' : undefined;
  }
  if (first === 0xff) return 'is a multicast address';
  if (first === 0xfe && (second & 0xc0) === 0x80) return 'is a link-local address';
  if (bytes.subarray(0, 15).every((byte) => byte === 0)) return 'is the loopback address';
  const mapped =
    bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return mapped ? 'is an IPv4 address in IPv6 form' : undefined;
}

function notANode(node: string, ip: Ip, why: string): Problem {
  return {
    code: 'node-address-invalid',
    severity: 'error',
    subject: `node ${node} (${ip})`,
    message: `node ${node} has ${ip} as an InternalIP, which ${why}; the address is left out`,
    advice: `start the kubelet of ${node} with the address of its interface toward the gateway (--node-ip)`,
    node,
  };
}

/** Why Kubernetes lets no load balancer use a node, in words; undefined: it may. */
export function leftOut(node: Node): string | undefined {
  if (node.deleting) return 'it is being deleted';
  if (node.excludeLabel !== undefined && !parsesToFalse(node.excludeLabel)) {
    return 'label node.kubernetes.io/exclude-from-external-load-balancers is set';
  }
  if (node.networkUnavailable) return 'its condition NetworkUnavailable is True';
  return undefined;
}

/**
 * The spellings of false that Go's strconv.ParseBool knows. Upstream's nodeIncludedPredicate
 * (k8s.io/cloud-provider/controllers/service/controller.go) includes a node whose label parses to false, and excludes
 * one whose label is empty or does not parse, since kubernetes/kubernetes#131085 (Kubernetes 1.34). Before that any
 * value excluded the node.
 */
function parsesToFalse(text: string): boolean {
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text);
}

/**
 * The endpoints of one family that take new connections: the ready ones; when there are none, those that are shutting
 * down but still serve. Each family has endpoints of its own, which come and go one slice after the other. Endpoints
 * without a node do not count under Local.
 */
export function usable(
  { endpoints, externalTrafficPolicy }: Service,
  of: Family,
  { waiting = nobody, leaving = nobody }: Pick<SeenNodes, 'waiting' | 'leaving'> = {},
): readonly Endpoint[] {
  const local = externalTrafficPolicy === 'Local';
  const known = endpoints.filter(
    ({ ip, node }) => family(ip) === of && (!local || (node !== undefined && !waiting.has(node))),
  );
  const ready = known.filter((endpoint) => endpoint.ready);
  if (ready.length === 0) return known.filter((endpoint) => endpoint.serving);
  if (!local || leaving.size === 0) return ready;
  const full = new Set(ready.map(({ node }) => node));
  const stays = ({ ready: isReady, serving: serves, node }: Endpoint): boolean =>
    isReady || (serves && node !== undefined && leaving.has(node) && !full.has(node));
  return known.filter(stays);
}

/**
 * Whether a Service under Cluster has {@link usable} endpoints. The list of them would cost 4 times as much at 2
 * endpoints, and 15 times at 100; `carriers.test.ts` holds the two together.
 */
function isUsable({ endpoints }: Service, of: Family): boolean {
  return endpoints.some(({ ip, ready, serving }) => (ready || serving) && family(ip) === of);
}

/** What the gateway has seen of the nodes of a Service under Local in one family, by their names. Absent: none. */
export interface SeenNodes {
  /** Their endpoints do not count yet. */
  readonly waiting?: ReadonlySet<string> | undefined;
  /** All their endpoints are terminating; these count as long as they serve. */
  readonly leaving?: ReadonlySet<string> | undefined;
  /** The other nodes cover for these, when all nodes weigh the same; see {@link coveringFor}. */
  readonly former?: ReadonlySet<string> | undefined;
}

const nobody: ReadonlySet<string> = new Set();

/** How nodes are weighed against each other under Local; under Cluster they are always equal. */
export type Weighing = 'equal' | 'endpoints';

/**
 * The nodes that may take a Service's traffic, sorted by name; empty when no node can serve it. Each address occurs
 * once: a node that was recreated under another name may be listed twice for a while.
 *
 * @param weighing 'endpoints': under Local, a node weighs as much as it has usable endpoints
 */
export function carriers(
  service: Service,
  nodes: Candidates,
  of: Family,
  weighing: Weighing,
  seen: SeenNodes = {},
): readonly Carrier[] {
  if (service.externalTrafficPolicy !== 'Local')
    return isUsable(service, of) ? everyNode(nodes, service.cluster)[of] : [];
  const endpoints = usable(service, of, seen);
  if (endpoints.length === 0) return [];
  const chosen = new Map<Ip, Carrier>();
  const counts = countByNode(endpoints);
  for (const node of [...counts.keys()].sort()) {
    const candidate = nodes.byName.get(node);
    const ip = addressIn(candidate, of);
    if (ip === undefined) continue;
    const twin = chosen.get(ip);
    const count = (counts.get(node) ?? 0) + (twin?.weight ?? 0);
    const weight = weighing === 'endpoints' ? Math.min(count, heaviest) : 1;
    chosen.set(
      ip,
      carrierOf(twin?.node ?? node, ip, twin === undefined ? placeOf(candidate, of) : twin.place, weight),
    );
  }
  const { former } = seen;
  if (former === undefined || weighing !== 'equal') return [...chosen.values()];
  // The usual case, and a fast path: every EIP under Local passes here.
  if (former.size === 0 && nodes.former.size === 0) return [...chosen.values()];
  return coveringFor([...chosen.values()], gone(former.union(counts), chosen, nodes, of));
}

function countByNode(endpoints: readonly Endpoint[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { node } of endpoints) {
    if (node !== undefined) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

/**
 * The nodes that can serve every one of the lists; undefined when no node can.
 *
 * @param lists each sorted by node name, none empty
 * @param weighing 'endpoints': their weights are added up
 */
export function shared(
  lists: readonly (readonly Carrier[])[],
  weighing: Weighing,
): readonly Carrier[] | undefined {
  const [first, ...others] = lists;
  // The same list keeps its identity: Services under Cluster all have the list of every node.
  if (first === undefined || others.every((other) => other === first)) return first;
  const weights = others.map((other) => new Map(other.map(({ ip, weight }) => [ip, weight])));
  const common: Carrier[] = [];
  for (const carrier of first) {
    const extra = weights.map((one) => one.get(carrier.ip)).filter((weight) => weight !== undefined);
    if (extra.length < others.length) continue;
    const sum = extra.reduce((total, weight) => total + weight, carrier.weight);
    common.push(weighing === 'equal' ? carrier : { ...carrier, weight: Math.min(sum, heaviest) });
  }
  return common.length > 0 ? common : undefined;
}
