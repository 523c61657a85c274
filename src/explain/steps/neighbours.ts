import { insideWords, nameInside } from '../../model/cluster.ts';
import type { Ip } from '../../model/ip.ts';
import { some } from '../../status/need.ts';
import { span } from '../../status/state.ts';
import type { KernelFacts, TraceFacts } from '../trace-facts.ts';
import { unanswered } from '../unanswered.ts';
import { type Step, step } from './step.ts';

/** Nodes that are shown, those that do not answer first. */
const mostNodes = 10;

export function neighboursStep({ view, gateway, silentSince, now }: TraceFacts, kernel: KernelFacts): Step {
  const carriers = view?.carriers ?? (kernel.vias ?? []).map((ip) => ({ node: ip, ip }));
  if (carriers.length === 0) return step('neighbours', '-', 'there is no node to ask');
  const { neighbours } = kernel;
  const isDead = ({ ip }: { readonly ip: Ip }): boolean => unanswered.has(neighbours.get(ip));
  const shown = [...carriers].sort((a, b) => Number(isDead(b)) - Number(isDead(a))).slice(0, mostNodes);
  const lines = shown.map(({ node, ip }) => {
    const since = silentSince[ip];
    const long = since === undefined ? '' : ` for ${span(now - Date.parse(since))}`;
    return `${node} ${ip} ${neighbours.get(ip) ?? 'not known'}${unanswered.has(neighbours.get(ip)) ? long : ''}`;
  });
  if (carriers.length > mostNodes) lines.push(`and ${carriers.length - mostNodes} more`);
  const [first = '', ...more] = lines;
  const dead = carriers.filter(isDead);
  const unknown = carriers.filter(({ ip }) => neighbours.get(ip) === undefined);
  const names = some(dead.map(({ node }) => node));
  const [one] = dead;
  const advice =
    one &&
    `ping -I ${gateway.lan} ${one.ip}; ${insideWords(one.node)}kubectl get node ${nameInside(one.node)}`;
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
