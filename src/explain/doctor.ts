import type { Gateway } from '../model/gateway.ts';
import { type Family, families, family } from '../model/ip.ts';
import type { Check } from './check.ts';
import { apiChecks } from './checks/api.ts';
import { capabilityCheck } from './checks/capability.ts';
import { configurationCheck } from './checks/configuration.ts';
import { daemonCheck } from './checks/daemon.ts';
import { defaultRouteCheck } from './checks/default-route.ts';
import { firewallCheck } from './checks/firewall.ts';
import { managersCheck } from './checks/foreign.ts';
import { gatewaysCheck } from './checks/gateways.ts';
import { chosenInterfaceCheck, interfacesCheck } from './checks/interfaces.ts';
import { kernelCheck } from './checks/kernel.ts';
import { layer2Checks } from './checks/layer2.ts';
import { namespaceCheck } from './checks/namespace.ts';
import { agentsCheck } from './checks/node-agents.ts';
import { nodesCheck } from './checks/nodes.ts';
import { routingDaemonChecks } from './checks/routing-daemon.ts';
import type { DoctorFacts } from './doctor-facts.ts';

/**
 * The checks of a host, from facts alone. Always the same ones for a role, but for three: layer 2 is looked at where a pool is
 * announced by it, the routing daemon where one is to announce, and what this process sees of the kernel is not told where
 * the daemon sees another one.
 */
export function doctor(facts: DoctorFacts): readonly Check[] {
  const { configuration } = facts;
  const first = [configurationCheck(facts)];
  const host = [capabilityCheck(facts.lacks), kernelCheck(facts)];
  if (configuration.kind === 'refused') return [...first, ...host];
  const { daemon } = facts;
  if (daemon.kind === 'runs' && daemon.elsewhere !== undefined)
    return [...first, namespaceCheck(daemon.elsewhere), daemonCheck(facts, configuration.kind)];
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
    ...layer2Checks(facts, gateway),
    ...routingDaemonChecks(facts, gateway),
    firewallCheck(facts, gateway),
    nodesCheck(facts, gateway),
    agentsCheck(facts, gateway),
    daemonCheck(facts, 'gateway'),
  ];
}

/** The families of the pools of a gateway. */
export function familiesOf({ pools }: Pick<Gateway, 'pools'>): readonly Family[] {
  const all = pools.flatMap(({ addresses }) => addresses.map((prefix) => family(prefix)));
  return families.filter((of) => all.includes(of));
}
