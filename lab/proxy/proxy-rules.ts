import { type Family, families, family, type Ip } from '../../src/model/ip.ts';
import { podNetworks } from '../network/map.ts';

/** A Service as a kube-proxy sees it: one port, which is all the demo needs of each. */
export interface ProxiedService {
  /** `default/web` */
  readonly name: string;
  /** EIPs, of both families. */
  readonly addresses: readonly Ip[];
  readonly protocol: 'tcp' | 'udp';
  readonly port: number;
  readonly policy: 'Cluster' | 'Local';
  /** `spec.healthCheckNodePort`; absent: it has none. */
  readonly healthPort?: number | undefined;
  readonly endpoints: readonly ProxiedEndpoint[];
}

export interface ProxiedEndpoint {
  readonly ip: Ip;
  readonly port: number;
  readonly node: string;
  readonly state: 'ready' | 'terminating' | 'away';
}

/** kube-proxy's own mark for what must be masqueraded. */
const masquerade = '0x4000';

/**
 * The rules a kube-proxy would write on one node, for `nft -f`, replacing its former ones in one transaction.
 * Shaped like iptables mode: DNAT to a random endpoint; Cluster takes any and masquerades, Local takes those
 * of this node and keeps the client's address.
 */
export function proxyRules(services: readonly ProxiedService[], node: string): string {
  const doors: string[] = [];
  const chains: string[] = [];
  for (const service of services) {
    for (const kind of families) {
      const addresses = service.addresses.filter((ip) => family(ip) === kind);
      const endpoints = service.endpoints.filter((one) => family(one.ip) === kind && one.state !== 'away');
      if (addresses.length === 0 || endpoints.length === 0) continue;
      const name = `${service.name.replace(/[^a-z0-9]/g, '-')}-${service.port}-${kind}`;
      for (const ip of addresses) {
        doors.push(
          `    ${address(kind)} daddr ${ip} ${service.protocol} dport ${service.port} goto ext-${name}\n`,
        );
      }
      chains.push(
        ...(service.policy === 'Cluster' ? clusterDoor(name) : localDoor(name, kind, endpoints, node)),
        chain(`all-${name}`, [spread(`ep-${name}`, endpoints, usable(endpoints))]),
        ...endpoints.map((one, i) => endpointChain(`ep-${name}-${i}`, kind, service.protocol, one)),
      );
    }
  }
  return `table inet kube-proxy
delete table inet kube-proxy
table inet kube-proxy {
${chains.join('')}  chain services {
${doors.join('')}  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    goto services
  }
  chain output {
    type nat hook output priority -100
    goto services
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    meta mark and ${masquerade} == 0 return
    meta mark set meta mark xor ${masquerade}
    masquerade
  }
}
`;
}

function clusterDoor(name: string): readonly string[] {
  return [chain(`ext-${name}`, [`meta mark set meta mark or ${masquerade}`, `goto all-${name}`])];
}

function localDoor(
  name: string,
  of: Family,
  endpoints: readonly ProxiedEndpoint[],
  node: string,
): readonly string[] {
  const inside = podNetworks.filter((network) => family(network) === of);
  const local = usable(endpoints.filter((one) => one.node === node));
  return [
    chain(`ext-${name}`, [
      // From inside the cluster the policy does not count.
      ...inside.map((network) => `${address(of)} saddr ${network} goto all-${name}`),
      `fib saddr type local meta mark set meta mark or ${masquerade} goto all-${name}`,
      local.length === 0 ? 'drop' : spread(`ep-${name}`, endpoints, local),
    ]),
  ];
}

/** Ready endpoints; when there are none, those that still serve while they end (KEP-1669). */
function usable(endpoints: readonly ProxiedEndpoint[]): readonly ProxiedEndpoint[] {
  const ready = endpoints.filter((one) => one.state === 'ready');
  return ready.length > 0 ? ready : endpoints.filter((one) => one.state === 'terminating');
}

/** Chains are numbered over all endpoints, so that both doors find the same ones. */
function spread(prefix: string, all: readonly ProxiedEndpoint[], chosen: readonly ProxiedEndpoint[]): string {
  const ways = chosen.map((one, i) => `${i} : goto ${prefix}-${all.indexOf(one)}`);
  return `numgen random mod ${chosen.length} vmap { ${ways.join(', ')} }`;
}

function endpointChain(name: string, of: Family, protocol: string, { ip, port }: ProxiedEndpoint): string {
  const target = of === 4 ? `${ip}:${port}` : `[${ip}]:${port}`;
  return chain(name, [
    // A pod that reaches itself by its own Service.
    `${address(of)} saddr ${ip} meta mark set meta mark or ${masquerade}`,
    `meta l4proto ${protocol} dnat ${address(of)} to ${target}`,
  ]);
}

function chain(name: string, lines: readonly string[]): string {
  return `  chain ${name} {\n${lines.map((line) => `    ${line}\n`).join('')}  }\n`;
}

function address(of: Family): 'ip' | 'ip6' {
  return of === 4 ? 'ip' : 'ip6';
}
