import type { Endpoint, Node, Service } from '../model/cluster.ts';
import { type Family, family, type Ip } from '../model/ip.ts';

/** A node that may take an EIP's traffic. */
export interface Carrier {
  readonly node: string;
  readonly ip: Ip;
  /** 1..256; 1 unless nodes are weighed by their endpoints. */
  readonly weight: number;
}

/** A node that can be a nexthop, with its first InternalIP of each family. */
export interface Candidate {
  readonly ipv4: Ip | undefined;
  readonly ipv6: Ip | undefined;
}

/** By name, in the order of the names. */
export type Candidates = ReadonlyMap<string, Candidate>;

/** The most a nexthop group takes: one byte on the wire, plus one. */
const heaviest = 256;

/**
 * The nodes that Kubernetes lets a load balancer use. `Ready=False` alone is no reason to leave a node out: a
 * kubelet that is cut off does not stop the dataplane.
 */
export function candidates(nodes: readonly Node[]): Candidates {
  const able = nodes.filter((node) => barred(node) === undefined);
  return new Map(
    [...able]
      .sort((a, b) => (a.name < b.name ? -1 : 1))
      .map(({ name, addresses }) => [
        name,
        {
          ipv4: addresses.find((ip) => family(ip) === 4),
          ipv6: addresses.find((ip) => family(ip) === 6),
        },
      ]),
  );
}

/** Why a node must not carry traffic, in words; undefined when it may. */
export function barred(node: Node): string | undefined {
  if (node.deleting) return 'it is being deleted';
  if (node.autoscalerDeletes) return 'the cluster autoscaler is about to delete it';
  if (node.excludeLabel !== undefined && !parsesToFalse(node.excludeLabel)) {
    return 'label node.kubernetes.io/exclude-from-external-load-balancers is set';
  }
  if (node.networkUnavailable) return 'its condition NetworkUnavailable is True';
  return undefined;
}

/** The spellings of false that Kubernetes' own parser (Go's strconv.ParseBool) knows. */
function parsesToFalse(text: string): boolean {
  return ['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(text);
}

/**
 * The endpoints that take new connections: the ready ones; when there are none, those that are shutting down
 * but still serve.
 */
export function usable(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.ready);
  return ready.length > 0 ? ready : endpoints.filter((endpoint) => endpoint.serving);
}

/**
 * The nodes that may take a Service's traffic, sorted by name; empty when nobody can serve it.
 *
 * @param weighing 'endpoints': under Local, a node weighs as much as it has usable endpoints
 */
export function carriers(
  service: Service,
  nodes: Candidates,
  of: Family,
  weighing: 'equal' | 'endpoints',
): readonly Carrier[] {
  const endpoints = usable(service.endpoints);
  if (endpoints.length === 0) return [];
  if (service.externalTrafficPolicy === 'Cluster') return everyNode(nodes, of);
  const chosen: Carrier[] = [];
  for (const [node, count] of countByNode(endpoints)) {
    const candidate = nodes.get(node);
    const ip = of === 4 ? candidate?.ipv4 : candidate?.ipv6;
    if (ip === undefined) continue;
    chosen.push({ node, ip, weight: weighing === 'endpoints' ? Math.min(count, heaviest) : 1 });
  }
  return chosen.sort((a, b) => (a.node < b.node ? -1 : 1));
}

/** Under Cluster every Service has the same carriers: one list for all keeps ten thousand EIPs cheap. */
const everyNodeOf = new WeakMap<Candidates, Map<Family, readonly Carrier[]>>();

function everyNode(nodes: Candidates, of: Family): readonly Carrier[] {
  const known = everyNodeOf.get(nodes) ?? new Map<Family, readonly Carrier[]>();
  everyNodeOf.set(nodes, known);
  let list = known.get(of);
  if (list === undefined) {
    const all: Carrier[] = [];
    for (const [node, { ipv4, ipv6 }] of nodes) {
      const ip = of === 4 ? ipv4 : ipv6;
      if (ip !== undefined) all.push({ node, ip, weight: 1 });
    }
    list = all;
    known.set(of, list);
  }
  return list;
}

function countByNode(endpoints: readonly Endpoint[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { node } of endpoints) {
    if (node !== undefined) counts.set(node, (counts.get(node) ?? 0) + 1);
  }
  return counts;
}

/**
 * The nodes that can serve every one of the lists, with their weights added up; undefined when no node can.
 *
 * @param lists each sorted by node name, none empty
 */
export function shared(lists: readonly (readonly Carrier[])[]): readonly Carrier[] | undefined {
  const [first, ...others] = lists;
  if (first === undefined) return undefined;
  const common: Carrier[] = [];
  for (const carrier of first) {
    let weight = carrier.weight;
    let everywhere = true;
    for (const other of others) {
      const twin = other.find((one) => one.node === carrier.node);
      if (twin === undefined) everywhere = false;
      else weight = Math.min(weight + twin.weight, heaviest);
    }
    if (everywhere) common.push({ ...carrier, weight });
  }
  return common.length > 0 ? common : undefined;
}
