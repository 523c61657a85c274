import { withInterface } from '../daemon/node-role.ts';
import { defaultRouteText } from '../kernel/default-routes.ts';
import type { Gateway } from '../model/gateway.ts';
import { family } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';
import type { NodeAgent } from '../model/node-agent.ts';
import type { Problem } from '../model/problem.ts';
import { some } from '../status/need.ts';
import { counted, iso, span } from '../status/state.ts';
import { type Check, type CheckState, check } from './check.ts';
import type { ApiFacts, DefaultRouteFacts, DoctorFacts, HostFacts } from './doctor-facts.ts';
import { rightText } from './rights.ts';

/** ms before its end that a credential is told */
const soon = 14 * 24 * 3_600_000;
/** ms that a clock may be wrong; the server tells whole seconds */
const skewed = 2000;
const badlySkewed = 30_000;

/** The checks of a host, from facts alone. Always the same ones for a role. */
export function doctor(facts: DoctorFacts): readonly Check[] {
  const { configuration } = facts;
  const first = [configurationCheck(facts)];
  const host = [capabilityCheck(facts.lacks), kernelCheck(facts)];
  if (configuration.kind === 'refused') return [...first, ...host];
  if (configuration.kind === 'node') {
    const { agent } = configuration;
    return [
      ...first,
      agent.interface === undefined
        ? chosenInterfaceCheck(facts, agent)
        : interfacesCheck(facts, [['interface', agent.interface]]),
      ...host,
      managersCheck(facts, [agent.interface ?? '']),
      gatewaysCheck(facts, agent),
      daemonCheck(facts, 'node'),
    ];
  }
  const { gateway } = configuration;
  const { lan, uplink } = gateway;
  return [
    ...first,
    interfacesCheck(facts, [
      ['lan', lan],
      ['uplink', uplink],
    ]),
    ...host,
    ...apiChecks(facts),
    ...facts.defaultRoutes.map((route) => defaultRouteCheck(route, gateway)),
    managersCheck(facts, [lan, uplink]),
    firewallCheck(facts, gateway),
    nodesCheck(facts, gateway),
    agentsCheck(facts),
    daemonCheck(facts, 'gateway'),
  ];
}

function configurationCheck({ configuration }: DoctorFacts): Check {
  const name = 'configuration';
  if (configuration.kind === 'refused') {
    const [first = '', ...more] = configuration.errors;
    return check(name, 'FAIL', first, {
      more,
      advice: `correct ${configuration.file}; eiproute config check tells when it is good`,
    });
  }
  const { file, warnings } = configuration;
  const state = warnings.length > 0 ? 'warn' : 'ok';
  if (configuration.kind === 'node')
    return check(
      name,
      state,
      `${file}, networks ${configuration.agent.eips.join(', ') || 'by a ConfigMap'}`,
      {
        more: warnings,
      },
    );
  const { gateway, addresses } = configuration;
  const much =
    addresses < 2 ** 32
      ? counted(addresses, 'address').replace('addresss', 'addresses')
      : 'more addresses than one counts';
  return check(name, state, `${file}, ${counted(gateway.pools.length, 'pool')}, ${much}`, { more: warnings });
}

function interfacesCheck(
  { links }: DoctorFacts,
  wanted: readonly (readonly [key: string, name: string])[],
): Check {
  const name = 'interfaces';
  if (links === undefined) return check(name, '?', 'the kernel cannot be read');
  const wrong = wanted.flatMap(([key, wish]) => {
    const link = links.find((one) => one.name === wish);
    if (link === undefined) return [`${key}: ${wish} does not exist`];
    if (!link.up) return [`${key}: ${wish} is down`];
    return link.carrier ? [] : [`${key}: ${wish} has no carrier`];
  });
  const there = `there are: ${links.map((link) => link.name).join(' ')}`;
  if (wrong.length > 0)
    return check(name, 'FAIL', `${wrong.join('; ')}; ${there}`, {
      advice: 'correct the name in the configuration, or see to the interface: ip link',
    });
  return check(name, 'ok', wanted.map(([key, wish]) => `${key} ${wish}`).join(', ') || there);
}

/** Without an interface in the configuration the agent chooses one. */
function chosenInterfaceCheck({ links }: DoctorFacts, agent: NodeAgent): Check {
  const name = 'interfaces';
  if (links === undefined) return check(name, '?', 'the kernel cannot be read');
  const { interface: chosen } = withInterface(agent, links);
  if (chosen !== undefined) return check(name, 'ok', `${chosen}, toward the gateways`);
  const all = agent.gateways.map(({ address }) => address).join(', ');
  return check(name, 'FAIL', `no gateway (${all}) is on a directly connected network of this node`, {
    advice: 'set gateways to their addresses on the LAN of the nodes, or set interface',
  });
}

function capabilityCheck(lacks: readonly Problem[]): Check {
  const lack = lacks.find(({ code }) => code === 'no-cap-net-admin');
  return lack === undefined
    ? check('capability', 'ok', 'CAP_NET_ADMIN')
    : check('capability', 'FAIL', lack.message, { advice: lack.advice });
}

const abilityWords: Readonly<Record<string, string>> = {
  nexthop: 'nexthop objects',
  group: 'nexthop groups',
  resilient: 'resilient groups',
  ipv6: 'IPv6',
  nft: 'nf_tables',
};

function kernelCheck({ kernel, lacks, abilities }: DoctorFacts): Check {
  const old = lacks.find(({ code }) => code === 'kernel-too-old');
  if (old !== undefined) return check('kernel', 'FAIL', old.message, { advice: old.advice });
  if (abilities.kind === 'not asked')
    return check('kernel', '?', `Linux ${kernel}; what it can do was not tried: ${abilities.why}`, {
      advice: 'run it as root',
    });
  const words = (names: readonly string[]): string =>
    names.map((name) => abilityWords[name] ?? name).join(', ');
  const lacking = abilities.wanted.filter((name) => !abilities.able.has(name));
  if (lacking.length === 0) return check('kernel', 'ok', `Linux ${kernel}: ${words(abilities.wanted)}`);
  const isFatal = lacking.some((name) => name !== 'nft');
  return check('kernel', isFatal ? 'FAIL' : 'warn', `Linux ${kernel} lacks ${words(lacking)}`, {
    advice: lacking.includes('nft')
      ? 'install nftables (apt-get install nftables); the module nf_tables must be there'
      : 'boot a kernel that has it, or take what needs it out of the configuration',
  });
}

function apiChecks({ api, now }: DoctorFacts): readonly Check[] {
  if (api === undefined) {
    const file = 'the cluster is read from a file';
    return ['API', 'credentials', 'rights', 'time'].map((name) => check(name, '-', file));
  }
  return [apiCheck(api, now), credentialsCheck(api, now), rightsCheck(api), timeCheck(api)];
}

function apiCheck({ server, trouble, version, latency, certificateEnds }: ApiFacts, now: number): Check {
  if (trouble !== undefined) {
    const [finding = '', ...advice] = trouble.split('; ');
    return check('API', 'FAIL', finding, { advice: advice.join('; ') || undefined });
  }
  const words = [server, version, latency === undefined ? undefined : `${latency} ms`];
  const end = certificateEnds === undefined ? undefined : `certificate ${lasts(certificateEnds, now)}`;
  const state = certificateEnds === undefined ? 'ok' : urgency(certificateEnds, now);
  return check('API', state, [...words, end].filter((word) => word !== undefined).join(', '), {
    advice:
      state === 'ok' ? undefined : 'renew the certificate of the API server (kubeadm certs renew apiserver)',
  });
}

function urgency(ends: number, now: number): CheckState {
  if (ends <= now) return 'FAIL';
  return ends - now < soon ? 'warn' : 'ok';
}

function lasts(ends: number, now: number): string {
  const day = iso(ends).slice(0, 10);
  return ends <= now ? `ended on ${day}` : `good for ${span(ends - now)} (${day})`;
}

function credentialsCheck({ credential, warnings }: ApiFacts, now: number): Check {
  const more = warnings.map(({ message, advice }) => `${message}; ${advice}`);
  if (credential === undefined) return check('credentials', '?', 'the kubeconfig cannot be used', { more });
  const { what, ends } = credential;
  const state = ends === undefined ? 'ok' : urgency(ends, now);
  return check(
    'credentials',
    state === 'ok' && more.length > 0 ? 'warn' : state,
    ends === undefined
      ? `${what}, which does not say when it ends`
      : `${what} ${ends <= now ? '' : 'is '}${lasts(ends, now)}`,
    { more, advice: state === 'ok' ? undefined : `renew ${what}` },
  );
}

function rightsCheck({ rights }: ApiFacts): Check {
  if ('kind' in rights) return check('rights', '?', `not asked: ${rights.why}`);
  const missing = rights.filter(({ allowed }) => !allowed).map(({ right }) => rightText(right));
  if (missing.length === 0) {
    const all = rights.map(({ right }) => rightText(right));
    return check('rights', 'ok', `all ${all.length}: ${all.join(', ')}`);
  }
  return check('rights', 'FAIL', `may not ${missing.join(', ')}`, {
    advice: 'kubectl apply -f docs/rbac.yaml',
  });
}

function timeCheck({ ahead }: ApiFacts): Check {
  if (ahead === undefined) return check('time', '?', 'the API server has not told its time');
  const off = Math.abs(ahead);
  const words = `this clock is ${(off / 1000).toFixed(1)} s ${ahead > 0 ? 'ahead of' : 'behind'} the API server`;
  if (off <= skewed) return check('time', 'ok', 'this clock and that of the API server agree');
  return check('time', off > badlySkewed ? 'FAIL' : 'warn', words, {
    advice: 'timedatectl; let both follow NTP',
  });
}

const quiet: ReadonlySet<NeighbourState | undefined> = new Set<NeighbourState>(['FAILED', 'INCOMPLETE']);

function defaultRouteCheck(
  { family: of, configured, present, neighbour }: DefaultRouteFacts,
  { uplink, protocol: own }: Gateway,
): Check {
  const name = of === 6 ? 'default route 6' : 'default route';
  const [first] = present;
  const answers = neighbour === undefined ? 'not asked' : 'answers';
  if (configured === undefined && first === undefined)
    return check(
      name,
      'warn',
      `there is no default route of IPv${of}: replies reach clients on the uplink's network alone`,
      {
        advice: `set defaultRoute in the configuration, or let another program set one`,
      },
    );
  const router = configured ?? first?.via;
  if (quiet.has(neighbour))
    return check(name, 'FAIL', `the router ${router} does not answer`, {
      advice: `ping -I ${uplink} ${router}; correct defaultRoute, or see to the router`,
    });
  const words =
    configured === undefined ? first && defaultRouteText(first) : `via ${configured} dev ${uplink}`;
  const other = present.find(
    ({ protocol, via, dev }) => protocol !== own && !(via === configured && dev === uplink),
  );
  if (configured !== undefined && other !== undefined)
    return check(
      name,
      'warn',
      `via ${configured} dev ${uplink}, ${answers}; it wins over the present one ${defaultRouteText(other)}`,
      {
        advice: 'leave defaultRoute out where another program sets the right one',
      },
    );
  if (router !== undefined && neighbour === undefined)
    return check(name, '?', `${words}; whether it answers could not be found out`, {
      advice: `ping -c 1 -I ${configured === undefined ? first?.dev : uplink} ${router}`,
    });
  return check(name, 'ok', router === undefined ? `${words}` : `${words}; ${answers}`);
}

function managersCheck({ managers }: DoctorFacts, ours: readonly string[]): Check {
  const { running, networkd, networkManager } = managers;
  const name = 'foreign';
  const told: string[] = [];
  const advice: string[] = [];
  if (running.includes('systemd-networkd')) {
    const lacking = [
      'ManageForeignRoutes',
      'ManageForeignRoutingPolicyRules',
      'ManageForeignNextHops',
    ].filter((key) => !/^(no|false|0|off|n|f)$/i.test(networkd.get(key) ?? ''));
    if (lacking.length > 0) {
      told.push(`systemd-networkd deletes what it has not made: ${lacking.join(', ')} not set to no`);
      advice.push(
        'put /usr/share/eiproute/networkd.conf into /etc/systemd/networkd.conf.d/, then systemctl try-restart systemd-networkd',
      );
    }
  }
  const managed = networkManager.filter((link) => ours.includes(link));
  if (managed.length > 0) {
    told.push(
      `NetworkManager manages ${managed.join(', ')}: it may take routes away when it applies a profile`,
    );
    advice.push(managed.map((link) => `nmcli device set ${link} managed no`).join('; '));
  }
  const others =
    running.length === 0 ? 'no other program that manages routes runs' : `${running.join(', ')} runs`;
  if (told.length === 0) return check(name, 'ok', others);
  return check(name, 'warn', told.join('; '), { advice: advice.join('; ') });
}

function firewallCheck({ firewall }: DoctorFacts, { lan, uplink }: Gateway): Check {
  const name = 'firewall';
  const way = `${uplink} -> ${lan}`;
  const dropped = firewall.find(({ verdict }) => verdict.kind === 'drops');
  if (dropped?.verdict.kind === 'drops')
    return check(
      name,
      'FAIL',
      `TCP to pool ${dropped.pool} (IPv${dropped.family}) is dropped by ${dropped.verdict.by}`,
      {
        advice: `allow ${way} there: nft -a list ruleset`,
      },
    );
  const unclear = firewall.find(({ verdict }) => verdict.kind === 'unclear');
  if (unclear?.verdict.kind === 'unclear')
    return check(name, '?', `whether TCP to pool ${unclear.pool} passes depends on ${unclear.verdict.by}`, {
      advice: 'eiproute trace ADDRESS:PORT asks about one port; nft -a list ruleset has the rules',
    });
  const silent = firewall.find(({ verdict }) => verdict.kind === 'not asked');
  if (silent?.verdict.kind === 'not asked')
    return check(name, '?', `not asked: ${silent.verdict.why}`, {
      advice: 'run it as root, with nftables installed',
    });
  return check(name, 'ok', `no forward hook drops ${way}`);
}

/** Of hosts that are asked by ARP or NDP: how many answer, and which do not. */
function answering(hosts: readonly HostFacts[], link: string) {
  const deaf = hosts.filter(({ state }) => quiet.has(state) || state === undefined);
  const finding = `${hosts.length - deaf.length} of ${hosts.length} answer ARP or NDP on ${link}`;
  return { deaf, finding, names: some(deaf.map(({ name, ip }) => `${name} (${ip})`)) };
}

function nodesCheck({ nodes }: DoctorFacts, { lan }: Gateway): Check {
  const name = 'nodes';
  if (nodes.kind === 'not asked') return check(name, '?', `not asked: ${nodes.why}`);
  const { hosts, known, total, limits } = nodes;
  if (hosts.length === 0) return check(name, 'warn', `there is no node that could carry traffic, ${known}`);
  const { deaf, finding, names } = answering(hosts, lan);
  const all = total > hosts.length ? `${finding}, of ${total}, ${known}` : `${finding}, ${known}`;
  const more = limits.map(({ message, advice }) => `${message}; ${advice}`);
  if (deaf.length === 0) return check(name, more.length > 0 ? 'warn' : 'ok', all, { more });
  return check(name, deaf.length === hosts.length ? 'FAIL' : 'warn', `${all}; not ${names}`, {
    more,
    advice: `ping -I ${lan} ${deaf[0]?.ip}; kubectl get nodes -o wide`,
  });
}

function gatewaysCheck({ nodes }: DoctorFacts, { interface: link }: NodeAgent): Check {
  if (nodes.kind === 'not asked') return check('gateways', '?', `not asked: ${nodes.why}`);
  const { deaf, finding, names } = answering(nodes.hosts, link ?? 'the LAN');
  if (deaf.length === 0) return check('gateways', 'ok', finding);
  return check('gateways', 'FAIL', `${finding}; not ${names}`, {
    advice: `replies to clients of a gateway that does not answer are lost: ping ${link === undefined ? '' : `-I ${link} `}${deaf[0]?.ip}`,
  });
}

function agentsCheck({ agents, daemon }: DoctorFacts): Check {
  const name = 'node agents';
  const said = daemon.kind === 'runs' ? daemon.agents : undefined;
  const [lack, ...others] = said?.problems ?? [];
  if (lack !== undefined)
    return check(name, 'FAIL', lack.message, {
      more: others.map(({ message }) => message),
      advice: lack.advice,
    });
  const told = agents.map(({ pool, family: of, asked }) => {
    const whose = `pool ${pool} (IPv${of})`;
    if (asked.kind === 'not asked') return { state: '?' as const, text: `${whose}: not known: ${asked.why}` };
    const { to, fromLan, fromUplink } = asked;
    if (fromLan.kind === 'failed')
      return { state: '?' as const, text: `${whose}: not known: ${to} does not answer (${fromLan.code})` };
    if (fromUplink.kind === 'failed')
      return {
        state: 'FAIL' as const,
        text: `${whose}: ${to} answers on the LAN, and its replies beyond the LAN do not come back`,
      };
    return { state: 'ok' as const, text: `${whose}: replies of ${to} come back` };
  });
  const worst = (['FAIL', '?', 'ok'] as const).find((state) => told.some((one) => one.state === state));
  if (worst === undefined) return check(name, '-', 'there is no pool to ask about');
  // What nobody could connect to is known all the same where every agent tells what it serves.
  if (worst === '?' && said !== undefined && said.told === said.nodes && said.told > 0)
    return check(name, 'ok', `all ${said.nodes} tell that they serve all pools through this gateway`, {
      more: told.map(({ text }) => text),
    });
  const [first, ...more] = [...told].sort((a, b) => Number(a.state !== worst) - Number(b.state !== worst));
  return check(name, worst, first?.text ?? '', {
    more: more.map(({ text }) => text),
    advice:
      worst === 'FAIL'
        ? 'on the node: eiproute status --config /etc/eiproute/node.yaml; its eips must hold the pool, its gateways this host'
        : worst === '?'
          ? 'eiproute trace EIP --probe asks about one address'
          : undefined,
  });
}

function daemonCheck({ daemon, release }: DoctorFacts, role: 'gateway' | 'node'): Check {
  if (daemon.kind === 'silent')
    return check('daemon', '-', daemon.why, { advice: `systemctl enable --now eiproute-${role}` });
  const { state, summary } = daemon;
  if (daemon.release !== release)
    return check('daemon', 'warn', `${state}: ${summary}; it is ${daemon.release}, and this is ${release}`, {
      advice: `systemctl restart eiproute-${role}`,
    });
  const isFine = state === 'OK';
  return check('daemon', isFine ? 'ok' : 'warn', `${state}: ${summary}`, {
    advice: isFine ? undefined : 'eiproute status says what needs you',
  });
}

/** The families of the pools of a gateway. */
export function familiesOf({ pools }: Pick<Gateway, 'pools'>): readonly (4 | 6)[] {
  const all = pools.flatMap(({ addresses }) => addresses.map((prefix) => family(prefix)));
  return ([4, 6] as const).filter((of) => all.includes(of));
}
