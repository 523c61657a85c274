import { family } from '../../model/ip.ts';
import { isOwnRoute } from '../../probe/own-route.ts';
import type { KernelFacts, TraceFacts } from '../trace-facts.ts';
import { deadInterface, type Rest, type Step, step } from './step.ts';

export function routeStep(facts: TraceFacts, kernel: KernelFacts): Step {
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
  const ip = view?.eip !== undefined && family(view.eip) === 6 ? 'ip -6' : 'ip';
  const shown = `${ip} rule show; ${ip} route show table all`;
  if (holder !== undefined)
    return step('route', 'FAIL', `a route of another program has its place: ${holder.route}`, {
      why: `another program has put "${holder.route}" in the place of eiproute's route; eiproute does not overwrite it`,
      advice: `delete it, and eiproute installs its own: ${holder.command}`,
    });
  switch (matched.kind) {
    case 'not asked':
      return step('route', '?', `the kernel was not asked: ${matched.why}`, { why: matched.why });
    case 'refused':
      // Ours is in the table: something that comes before it refuses.
      return step('route', 'FAIL', `the kernel has no route of it: ${matched.why}`, {
        ...told(
          `the kernel has no route to ${view?.eip} (${matched.why})`,
          nhid === undefined
            ? 'eiproute plan shows what is missing; eiproute status says why'
            : `eiproute's own route is there, and a rule or a route comes first: ${shown}`,
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
      ? {
          type: 'unicast',
          table: gateway.table,
          protocol: gateway.protocol,
          metric: 0,
          nhid,
          dst: view.eip,
          hops: [],
        }
      : undefined;
  const route = matched.kind === 'route' ? matched.route : ours;
  if (route === undefined)
    return step('route', 'FAIL', 'another route wins, over a nexthop object', {
      ...told(
        'the kernel sends it by another route, which it does not name',
        `${shown}; eiproute plan shows what eiproute would change`,
      ),
    });
  const isOwn = view?.eip !== undefined && isOwnRoute(route, family(view.eip), gateway);
  const words = routeWords(isOwn ? (ours ?? route) : route);
  if (route.type === 'local')
    return step('route', 'FAIL', `${view?.eip} is an address of this gateway: ${words}`, {
      why: `${view?.eip} is on ${route.hops[0]?.dev} of this gateway, which keeps the packets for itself`,
      advice: `ip address delete ${view?.eip} dev ${route.hops[0]?.dev}, or take it out of the pool`,
    });
  if (!isOwn || vias === undefined)
    return step('route', 'FAIL', `another route wins: ${words}`, {
      ...told(
        `the kernel sends it by another route: ${words}`,
        `${shown}; eiproute plan shows what eiproute would change`,
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

function routeWords(route: Extract<KernelFacts['matched'], { kind: 'route' }>['route']): string {
  const words = [route.type === 'unicast' ? route.dst : `${route.type} ${route.dst}`];
  if (route.nhid !== undefined) words.push(`nhid ${route.nhid}`);
  else
    for (const { via, dev } of route.hops)
      words.push(...(via === undefined ? [] : [`via ${via}`]), ...(dev === undefined ? [] : [`dev ${dev}`]));
  if (route.table !== 254) words.push(`table ${route.table}`);
  words.push(`proto ${route.protocol}`);
  if (route.metric !== 0) words.push(`metric ${route.metric}`);
  return words.join(' ');
}
