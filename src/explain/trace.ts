import { family, type Ip } from '../model/ip.ts';
import { sysctlName } from '../model/iproute.ts';
import type { NeighbourState } from '../model/listing.ts';
import { some } from '../status/need.ts';
import type { CarrierView, PathView, ServiceView } from '../status/path-view.ts';
import { counted, iso, span } from '../status/state.ts';
import type { CheckState } from './check.ts';
import type { Attempt, KernelFacts, ProbeFacts, TraceFacts } from './trace-facts.ts';

/** One station of a packet's way. */
export interface Step {
  readonly name: StepName;
  readonly state: CheckState;
  readonly finding: string;
  /** Further findings, one per line. */
  readonly more: readonly string[];
  /** Why it is broken, in a sentence; undefined: it is not. */
  readonly why: string | undefined;
  /** What to do: a command, or words. */
  readonly advice: string | undefined;
}

export type StepName =
  | 'daemon'
  | 'pool'
  | 'service'
  | 'carriers'
  | 'route'
  | 'forwarding'
  | 'neighbours'
  | 'return path'
  | 'probe';

export type Verdict = 'works' | 'broken' | 'not known';

/** Why an address works or does not: `eiproute trace --json` prints it. */
export interface Trace {
  readonly asked: string;
  readonly eip: Ip | undefined;
  readonly services: readonly string[];
  /** `TCP 80` */
  readonly ports: readonly string[];
  readonly verdict: Verdict;
  /** The number of the first broken step, from 1. */
  readonly brokenAt: number | undefined;
  readonly steps: readonly Step[];
  /** Of the first broken step, else of the first that is not known. */
  readonly why: string | undefined;
  readonly advice: string | undefined;
}

/** The steps of a packet to an EIP, from facts alone. */
export function trace(facts: TraceFacts): Trace {
  const { view, kernel, asked } = facts;
  const holders = view?.services.filter(({ holds }) => holds) ?? [];
  const steps = [
    daemonStep(facts),
    poolStep(facts),
    serviceStep(facts, holders),
    carriersStep(facts),
    ...(kernel === undefined
      ? [untold('route'), untold('forwarding'), untold('neighbours')]
      : [routeStep(facts, kernel), forwardingStep(facts, kernel), neighboursStep(facts, kernel)]),
    returnStep(facts),
    probeStep(facts),
  ];
  const broken = steps.findIndex(({ state }) => state === 'FAIL');
  const first = broken >= 0 ? steps[broken] : steps.find(({ state }) => state === '?');
  const isProven = steps.slice(-2).every(({ state }) => state === 'ok');
  const verdict = broken >= 0 ? 'broken' : first === undefined || isProven ? 'works' : 'not known';
  return {
    asked,
    eip: view?.eip,
    services: holders.map(({ name }) => name),
    ports: [...new Set(holders.flatMap(portsOf))],
    verdict,
    brokenAt: broken >= 0 ? broken + 1 : undefined,
    steps,
    why: verdict === 'works' ? undefined : first?.why,
    advice: verdict === 'works' ? undefined : first?.advice,
  };
}

type Rest = Partial<Pick<Step, 'more' | 'why' | 'advice'>>;

function step(name: StepName, state: CheckState, finding: string, rest: Rest = {}): Step {
  return { name, state, finding, more: rest.more ?? [], why: rest.why, advice: rest.advice };
}

function untold(name: StepName): Step {
  return step(name, '-', 'there is no address to look at');
}

function portsOf({ ports }: ServiceView): readonly string[] {
  return ports.map(({ protocol, port }) => `${protocol} ${port}`);
}

function daemonStep({ source, now }: TraceFacts): Step {
  const start = 'systemctl status eiproute-gateway';
  switch (source.kind) {
    case 'daemon': {
      const finding = `${source.state}: ${source.summary}`;
      if (source.state === 'OK' || source.state === 'DEGRADED') return step('daemon', 'ok', finding);
      return step('daemon', '?', finding, {
        why: `what the gateway knows of the cluster may be old: ${source.summary}`,
        advice: 'eiproute status',
      });
    }
    case 'saved':
      return step('daemon', '?', `does not answer; the last known state is ${span(now - source.at)} old`, {
        why: `${source.why}; pool, service and carriers are as of ${iso(source.at)}`,
        advice: start,
      });
    case 'nothing':
      return step('daemon', '?', 'does not answer, and no state of the cluster was saved', {
        why: source.why,
        advice: start,
      });
    default:
      return source satisfies never;
  }
}

function poolStep({ view, gateway, source }: TraceFacts): Step {
  if (view?.eip === undefined) return untold('pool');
  const { pool, eip, services } = view;
  if (pool !== undefined) return step('pool', 'ok', `${pool.name} (${pool.networks.join(', ')})`);
  if (services.some(({ holds }) => holds))
    return step('pool', 'warn', `${eip} is in no pool any more; its Service keeps it`);
  const pools = gateway.pools.map(({ name, addresses }) => `${name} (${addresses.join(', ')})`);
  return step('pool', 'FAIL', `${eip} is in none of the pools: ${pools.join(', ')}`, {
    why: `eiproute routes addresses of its pools alone, and ${eip} is in none of them${services.length > 0 || source.kind === 'nothing' ? '' : '; no Service asks for it either'}`,
    advice: 'add its network to pools in the configuration, or give the Service an address of a pool',
  });
}

function serviceStep(facts: TraceFacts, holders: readonly ServiceView[]): Step {
  const { view, asked, port, source } = facts;
  if (source.kind === 'nothing')
    return step('service', '?', 'not known: nothing is known of the cluster', { why: source.why });
  if (view === undefined)
    return step('service', 'FAIL', `there is no Service ${asked}`, {
      why: `the cluster has no Service ${asked}`,
      advice: 'kubectl get services -A; name it as NAMESPACE/NAME',
    });
  const { eip, services, problems } = view;
  const [problem] = problems;
  const told = problem && { why: problem.message, advice: problem.advice };
  if (eip === undefined) {
    const [service] = services;
    const what = `${service?.name} has no address`;
    if (service?.type !== 'LoadBalancer')
      return step('service', 'FAIL', `${what}: its type is ${service?.type}`, {
        why: `only a Service of type LoadBalancer, or one with externalIPs, has an EIP`,
        advice: `kubectl patch service ${kubectlName(service?.name)} -p '{"spec":{"type":"LoadBalancer"}}'`,
      });
    return step('service', 'FAIL', what, told ?? withoutAddress(facts, service));
  }
  if (holders.length === 0) {
    const [first] = services;
    if (first === undefined)
      return step('service', 'FAIL', `no Service holds ${eip}`, {
        why: `no Service has ${eip} in its status, and none asks for it`,
        advice: 'kubectl get services -A; eiproute pools shows who holds what',
      });
    return step('service', 'FAIL', `${first.name} asks for ${eip}, and does not get it`, {
      why: problem?.message ?? `${first.name} may not have it`,
      advice: problem?.advice,
    });
  }
  return heldStep(facts, holders, port);
}

function heldStep({ view }: TraceFacts, holders: readonly ServiceView[], port: number | undefined): Step {
  const asked = holders.filter(({ ports }) => port === undefined || ports.some((one) => one.port === port));
  const finding = holders.map(serviceText).join('; ');
  if (asked.length === 0) {
    const all = holders.flatMap((one) => portsOf(one).map((text) => `${text} (${one.name})`));
    return step('service', 'FAIL', `no Service on it has port ${port}`, {
      why: `port ${port} of ${view?.eip} belongs to no Service; there are ${all.join(', ')}`,
      advice: 'ask for one of these ports, or add the port to the Service',
    });
  }
  const able = asked.filter(({ endpoints }) => endpoints > 0);
  if (able.length === 0) {
    const [first] = asked;
    return step('service', 'FAIL', finding, {
      why: `${first?.name} has no ready endpoint: no pod could answer`,
      advice: `kubectl get endpointslices ${kubectlName(first?.name, '-l kubernetes.io/service-name=')}; see that its pods run and are ready, and that its selector finds them`,
    });
  }
  const problems = view?.problems ?? [];
  const error = problems.find(({ severity }) => severity === 'error');
  const more = problems.map(({ severity, message }) => `${severity}: ${message}`);
  if (error !== undefined)
    return step('service', 'FAIL', finding, { more, why: error.message, advice: error.advice });
  const state = problems.length > 0 || able.length < asked.length ? 'warn' : 'ok';
  return step('service', state, finding, { more });
}

/** `-n default web` */
function kubectlName(name = '', option = ''): string {
  const [namespace, short] = name.split('/');
  return `-n ${namespace} ${option}${short}`;
}

function serviceText({ name, type, policy, endpoints, nodes }: ServiceView): string {
  const on = endpoints === 0 ? '' : ` on ${counted(nodes, 'node')}`;
  return `${name}, ${type}, policy ${policy}, ${counted(endpoints, 'ready endpoint')}${on}`;
}

function withoutAddress({ gateway }: TraceFacts, service: ServiceView): Rest {
  const { name, loadBalancerClass: found } = service;
  const { allocation } = gateway;
  if (allocation === undefined)
    return {
      why: `eiproute gives no addresses here (allocate: false), and no other program has given ${name} one`,
      advice: 'set allocate: true in the configuration, or see to the program that gives addresses',
    };
  if (found === undefined ? !allocation.classless : found !== allocation.class) {
    const ours = allocation.classless
      ? `with loadBalancerClass ${allocation.class}, or without one,`
      : `with loadBalancerClass ${allocation.class} alone`;
    return {
      why: `${name} has ${found === undefined ? 'no loadBalancerClass' : `loadBalancerClass ${found}`}, and eiproute gives addresses to Services ${ours} here`,
      advice: `make it anew with loadBalancerClass: ${allocation.class} (Kubernetes lets nobody change it), or see to the program that its class is for`,
    };
  }
  const { lease } = allocation;
  return {
    why: `${name} has no address yet, and no reason is known${lease === undefined ? '' : '; the gateway that holds the Lease gives it'}`,
    advice: `eiproute pools; eiproute status${lease === undefined ? '' : ' on the gateway that holds the Lease'}`,
  };
}

function carriersStep({ view, source }: TraceFacts): Step {
  if (source.kind === 'nothing')
    return step('carriers', '?', 'not known: nothing is known of the cluster', { why: source.why });
  if (view?.eip === undefined) return untold('carriers');
  const left = [...Map.groupBy(view.leftOut, ({ why }) => why)].map(
    ([why, all]) => `${some(all.map(({ node }) => node))}: ${why}`,
  );
  const words = left.length === 0 ? '' : ` (left out: ${left.join('; ')})`;
  if (view.carriers.length > 0)
    return step('carriers', 'ok', `${some(view.carriers.map(carrierText))}${words}`);
  if (!view.services.some(({ holds }) => holds)) return step('carriers', '-', 'no Service holds the address');
  return step('carriers', 'FAIL', `no node can carry it${words}`, {
    why: left.length === 0 ? 'the cluster has no node' : `no node can carry it: ${left.join('; ')}`,
    advice: 'kubectl get nodes -o wide; kubectl get endpointslices -A -o wide',
  });
}

function carrierText({ node, standing }: CarrierView): string {
  return standing === undefined || standing === 'silent' ? node : `${node} (${standing})`;
}

function routeStep(facts: TraceFacts, kernel: KernelFacts): Step {
  const { gateway, view, needs } = facts;
  const { lan } = gateway;
  const dead = deadInterface(kernel, lan);
  if (dead !== undefined)
    return step('route', 'FAIL', dead, {
      why: `${dead}: no EIP can be routed over it`,
      advice: 'ip link; correct lan in the configuration, or bring the interface up',
    });
  const need = needs.find(({ severity }) => severity === 'error');
  const told = (why: string, advice: string): Rest => ({
    why: need === undefined ? why : `${need.kind}: ${need.why}`,
    advice: need?.advice ?? advice,
  });
  const { matched, nhid, vias, holder } = kernel;
  if (holder !== undefined)
    return step('route', 'FAIL', `a route of another program has its place: ${holder.route}`, {
      why: `another program has put "${holder.route}" in the place of eiproute's route; eiproute does not overwrite it`,
      advice: `delete it, and eiproute installs its own: ${holder.command}`,
    });
  switch (matched.kind) {
    case 'not asked':
      return step('route', '?', `the kernel was not asked: ${matched.why}`, { why: matched.why });
    case 'refused':
      return step('route', 'FAIL', `the kernel has no route of it: ${matched.why}`, {
        ...told(
          `the kernel has no route to ${view?.eip} (${matched.why})`,
          'eiproute plan shows what is missing; eiproute status says why',
        ),
      });
    case 'unnamed':
    case 'route':
      break;
    default:
      return matched satisfies never;
  }
  // Over IPv6 the kernel may name another route over the same nexthop object, or none: ours is in the table.
  const ours =
    view?.eip !== undefined && family(view.eip) === 6 && nhid !== undefined
      ? { type: 'unicast', table: gateway.table, protocol: gateway.protocol, nhid, dst: view.eip, hops: [] }
      : undefined;
  const route = matched.kind === 'route' ? matched.route : ours;
  if (route === undefined)
    return step('route', 'FAIL', 'another route wins, over a nexthop object', {
      ...told(
        'the kernel sends it by another route, which it does not name',
        'ip -6 rule; ip -6 route show table all; eiproute plan shows what eiproute would change',
      ),
    });
  const words = routeWords(route.protocol === gateway.protocol ? (ours ?? route) : route);
  if (route.type === 'local')
    return step('route', 'FAIL', `${view?.eip} is an address of this gateway: ${words}`, {
      why: `${view?.eip} is on ${route.hops[0]?.dev} of this gateway, which keeps the packets for itself`,
      advice: `ip address delete ${view?.eip} dev ${route.hops[0]?.dev}, or take it out of the pool`,
    });
  if (route.protocol !== gateway.protocol || vias === undefined)
    return step('route', 'FAIL', `another route wins: ${words}`, {
      ...told(
        `the kernel sends it by another route: ${words}`,
        'ip rule; ip route show table all; eiproute plan shows what eiproute would change',
      ),
    });
  const carriers = new Set(view?.carriers.map(({ ip }) => ip));
  const stray = vias.filter((via) => !carriers.has(via));
  const asExpected = `${words}; ${matched.kind === 'route' ? 'ip route get agrees' : 'the kernel has a route, and cannot name it'}`;
  if (facts.source.kind !== 'nothing' && carriers.size > 0 && stray.length > 0)
    return step('route', carriers.size > 0 && stray.length < vias.length ? 'warn' : 'FAIL', words, {
      ...told(
        `the route still leads to ${stray.join(', ')}, which should not carry it now`,
        'eiproute status: a change of it waits, or was refused',
      ),
    });
  const held = need === undefined ? [] : [`${need.kind}: ${need.why}`];
  return step('route', need === undefined ? 'ok' : 'warn', asExpected, { more: held });
}

function deadInterface({ links }: KernelFacts, name: string): string | undefined {
  const link = links.find((one) => one.name === name);
  if (link === undefined) return `interface ${name} does not exist`;
  if (!link.up) return `interface ${name} is down`;
  return link.carrier ? undefined : `interface ${name} has no carrier`;
}

function routeWords(route: Extract<KernelFacts['matched'], { kind: 'route' }>['route']): string {
  const words = [route.type === 'unicast' ? route.dst : `${route.type} ${route.dst}`];
  if (route.nhid !== undefined) words.push(`nhid ${route.nhid}`);
  else
    for (const { via, dev } of route.hops)
      words.push(...(via === undefined ? [] : [`via ${via}`]), ...(dev === undefined ? [] : [`dev ${dev}`]));
  if (route.table !== 254) words.push(`table ${route.table}`);
  words.push(`proto ${route.protocol}`);
  return words.join(' ');
}

function forwardingStep({ gateway, view }: TraceFacts, kernel: KernelFacts): Step {
  const { uplink, lan } = gateway;
  const { sysctls, forwarded, firewall, client } = kernel;
  const dead = deadInterface(kernel, uplink);
  if (dead !== undefined)
    return step('forwarding', 'FAIL', dead, {
      why: `${dead}: no packet of a client comes in`,
      advice: 'ip link; correct uplink in the configuration, or bring the interface up',
    });
  const forwarding =
    view?.eip !== undefined && family(view.eip) === 6
      ? ['net/ipv6/conf/all/forwarding']
      : ['net/ipv4/ip_forward', `net/ipv4/conf/${uplink}/forwarding`];
  const off = forwarding.find((name) => sysctls.get(name) === '0');
  if (off !== undefined)
    return step('forwarding', 'FAIL', `${sysctlName(off)} is 0`, {
      why: `${sysctlName(off)} is 0: this host forwards nothing`,
      advice: `sysctl -w ${sysctlName(off)}=1; the running daemon keeps it so`,
    });
  const filter = reversePath(kernel, uplink);
  if (
    forwarded.kind === 'refused' &&
    (kernel.matched.kind === 'route' || kernel.matched.kind === 'unnamed')
  ) {
    const because =
      filter > 0
        ? `rp_filter ${filter} on ${uplink} drops what comes from ${client}, since the way back to it is not ${filter === 1 ? uplink : 'known'}`
        : `the kernel drops a packet from ${client} that comes in on ${uplink}: ${forwarded.why}`;
    return step('forwarding', 'FAIL', because, {
      why: because,
      advice: `ip route get ${view?.eip} from ${client} iif ${uplink}; sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${uplink.replaceAll('.', '/')}.rp_filter=0`,
    });
  }
  const way = `${sysctlName(forwarding[0] ?? '')} ${sysctls.get(forwarding[0] ?? '') ?? 'unknown'}; ${uplink} -> ${lan}`;
  const more =
    filter > 0
      ? [`rp_filter ${filter} on ${uplink}: clients whose way back is another interface are dropped`]
      : [];
  switch (firewall.kind) {
    case 'drops':
      return step('forwarding', 'FAIL', `${way}; dropped by ${firewall.by}`, {
        more,
        why: `the firewall of this gateway drops it: ${firewall.by}`,
        advice: `allow ${uplink} -> ${lan} there; see the rules with their handles: nft -a list ruleset`,
      });
    case 'unclear':
      return step('forwarding', '?', `${way}; it depends on ${firewall.by}`, {
        more,
        why: `whether the firewall lets it pass depends on ${firewall.by}, which looks at more than is known here`,
        advice: 'nft -a list ruleset; --probe sends a packet',
      });
    case 'not asked':
      return step('forwarding', '?', `${way}; the firewall was not asked: ${firewall.why}`, {
        more,
        why: `the firewall was not asked: ${firewall.why}`,
        advice: 'install nftables, or look at the FORWARD chain of iptables by hand',
      });
    case 'passes':
      break;
    default:
      return firewall satisfies never;
  }
  if (forwarded.kind === 'refused' || forwarded.kind === 'not asked')
    return step('forwarding', '?', `${way}; ${forwarded.why}`, { more, why: forwarded.why });
  return step('forwarding', more.length > 0 ? 'warn' : 'ok', `${way}; no forward hook of nft drops it`, {
    more,
  });
}

/** The kernel uses the larger of `all` and the interface. */
function reversePath({ sysctls }: KernelFacts, link: string): number {
  return Math.max(
    ...['all', link].map((name) => Number(sysctls.get(`net/ipv4/conf/${name}/rp_filter`) ?? 0)),
  );
}

/** Nodes that are shown, those that do not answer first. */
const mostNodes = 10;

const silent: ReadonlySet<NeighbourState | undefined> = new Set<NeighbourState>(['FAILED', 'INCOMPLETE']);

function neighboursStep({ view, gateway, silentSince, now }: TraceFacts, kernel: KernelFacts): Step {
  const carriers = view?.carriers ?? (kernel.vias ?? []).map((ip) => ({ node: ip, ip }));
  if (carriers.length === 0) return step('neighbours', '-', 'there is no node to ask');
  const { neighbours } = kernel;
  const isDead = ({ ip }: { readonly ip: Ip }): boolean => silent.has(neighbours.get(ip));
  const shown = [...carriers].sort((a, b) => Number(isDead(b)) - Number(isDead(a))).slice(0, mostNodes);
  const lines = shown.map(({ node, ip }) => {
    const since = silentSince[ip];
    const long = since === undefined ? '' : ` for ${span(now - Date.parse(since))}`;
    return `${node} ${ip} ${neighbours.get(ip) ?? 'not known'}${silent.has(neighbours.get(ip)) ? long : ''}`;
  });
  if (carriers.length > mostNodes) lines.push(`and ${carriers.length - mostNodes} more`);
  const [first = '', ...more] = lines;
  const dead = carriers.filter(isDead);
  const unknown = carriers.filter(({ ip }) => neighbours.get(ip) === undefined);
  const names = some(dead.map(({ node }) => node));
  const [one] = dead;
  const advice = one && `ping -I ${gateway.lan} ${one.ip}; kubectl get node ${one.node}`;
  if (dead.length === carriers.length)
    return step('neighbours', 'FAIL', first, {
      more,
      why: `${names} ${dead.length === 1 ? 'does' : 'do'} not answer ARP or NDP on ${gateway.lan}, and no other node carries ${view?.eip}`,
      advice,
    });
  if (dead.length > 0)
    return step('neighbours', 'warn', first, {
      more: [...more, `new flows go to the others; see to ${names}: ${advice}`],
    });
  if (unknown.length > 0)
    return step('neighbours', '?', first, {
      more,
      why: `the kernel knows nothing of ${some(unknown.map(({ node }) => node))} on ${gateway.lan}`,
      advice: `ping -c 1 -I ${gateway.lan} ${unknown[0]?.ip}`,
    });
  return step('neighbours', 'ok', first, { more });
}

const agentQuestion = 'on the node: eiproute status --config /etc/eiproute/node.yaml';

function returnStep({ probe, view }: TraceFacts): Step {
  if (view?.eip === undefined) return untold('return path');
  if (probe === undefined || probe.kind === 'not asked')
    return toldStep(view, probe?.why ?? '--probe finds out');
  const { fromLan, fromUplink } = probe;
  if (fromLan.kind === 'failed') return step('return path', '-', 'the probe did not come so far');
  if (fromUplink === undefined)
    return step('return path', '?', 'this gateway has no address on its uplink to probe from', {
      why: 'whether replies to clients come back cannot be probed without an address on the uplink',
      advice: agentQuestion,
    });
  if (fromUplink.kind === 'connected')
    return step('return path', 'ok', 'replies to an address beyond the LAN come back');
  return step(
    'return path',
    'FAIL',
    `replies to an address beyond the LAN do not come back (${fromUplink.code})`,
    {
      why: 'the node answers this gateway on the LAN, but a reply to a client takes another way: its node agent does not run, or does not know this network or this gateway',
      advice: `${agentQuestion}; its eips must hold ${view.pool?.networks.join(', ') ?? view.eip}`,
    },
  );
}

/** Without a probe: by what the agents of the nodes tell. */
function toldStep({ carriers, eip, pool }: PathView, why: string): Step {
  const names = (served: boolean): string[] =>
    carriers.filter((one) => one.served === served).map(({ node }) => node);
  const lacking = names(false);
  if (lacking.length > 0)
    return step('return path', 'FAIL', `the agent of ${some(lacking)} does not serve it`, {
      why: `the agent of ${some(lacking)} tells that it does not serve ${eip} through this gateway: replies from there are lost`,
      advice: `eiproute status says what to do; on the node, eips must hold ${pool?.networks.join(', ') ?? eip}, and gateways this one`,
    });
  if (carriers.length > 0 && names(true).length === carriers.length)
    return step(
      'return path',
      'ok',
      `the agent of ${some(names(true))} tells that it serves it; --probe proves it`,
    );
  return step('return path', '-', `not asked: ${why}; ${agentQuestion}`);
}

function probeStep({ probe, view, kernel }: TraceFacts): Step {
  if (view?.eip === undefined) return untold('probe');
  if (probe === undefined) return step('probe', '-', 'not asked: eiproute trace --probe opens a connection');
  if (probe.kind === 'not asked') return step('probe', '?', probe.why, { why: probe.why });
  const { fromLan, port, nodes } = probe;
  const more = nodes.map(({ node, to, attempt }) => `${node} ${to} (nodePort) ${attemptText(attempt)}`);
  const finding = `${view.eip} port ${port} ${attemptText(fromLan)}`;
  if (fromLan.kind === 'connected') return step('probe', 'ok', finding, { more });
  return step('probe', 'FAIL', finding, { more, ...failedProbe(fromLan.code, probe, kernel) });
}

function attemptText(attempt: Attempt): string {
  return attempt.kind === 'connected' ? `connected in ${attempt.ms} ms` : `failed: ${attempt.code}`;
}

function failedProbe(code: string, { port }: ProbeFacts, kernel: KernelFacts | undefined): Rest {
  const to = kernel?.vias?.join(', ') ?? 'the nodes';
  if (code === 'ECONNREFUSED')
    return {
      why: `a node refuses the connection to port ${port}: kube-proxy has no rule for it there, or the pod does not listen`,
      advice: `on ${to}: nft list ruleset, or iptables-save; kubectl logs -n kube-system -l k8s-app=kube-proxy`,
    };
  return {
    why: `no answer to a connection to port ${port} (${code}): it is lost on the way to ${to}, or on the node`,
    advice: `tcpdump -ni any port ${port} here, and then on ${to}`,
  };
}
