import { family } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { someNames } from '../model/some-names.ts';
import type { Flapping } from './host-table.ts';
import { type Doubt, doubtFor } from './judge.ts';
import type { Target } from './targets.ts';

/** Node names that a sentence holds. */
const mostNames = 5;

export function silentNode({ node, ip }: Target, lan: string): Problem {
  const [protocol, show] = family(ip) === 4 ? ['ARP', 'ip neigh show'] : ['NDP', 'ip -6 neigh show'];
  return {
    code: 'node-silent',
    severity: 'warn',
    subject: `node ${node} (${ip})`,
    message: `node ${node} does not answer ${protocol} at ${ip} on ${lan}; EIPs that other nodes serve go to these alone`,
    advice: `see that it runs and is on this LAN: ping -I ${lan} ${ip}; ${show} ${ip}`,
    node,
  };
}

export function flappingNode({ node, ip }: Target, { losses, steadyFor }: Flapping, lan: string): Problem {
  return {
    code: 'node-flaps',
    severity: 'warn',
    subject: `node ${node} (${ip}) comes and goes`,
    message: `node ${node} fell silent at ${ip} on ${lan} ${losses} times, with less than five minutes between; when it answers again it gets traffic after ${steadyFor / 1000} s`,
    advice: `look at its cable, its switch port and its load; dmesg on ${node} tells of a link that goes down`,
    node,
  };
}

export function doubted(
  { of, kind, silent, asked }: Doubt,
  targets: readonly Target[],
  lan: string,
): Problem {
  const protocol = of === 4 ? 'ARP' : 'NDP';
  const names = targets.filter(({ ip }) => silent.includes(ip)).map(({ node }) => node);
  const list = someNames(names, mostNames);
  const alone = `node ${list} does not answer ${protocol} on ${lan}, and there is no other: EIPs still lead to it`;
  const message =
    kind === 'all'
      ? asked === 1
        ? alone
        : `none of the ${asked} nodes answers ${protocol} on ${lan} (${list}): the fault is probably the switch or ${lan}, and no node is left out for it`
      : `${silent.length} of ${asked} nodes do not answer ${protocol} on ${lan} (${list}): they fell silent together with too many others, so this is doubted, and they stay in use until they have been silent for ${doubtFor / 1000} s in which others answered`;
  return {
    code: 'probe-doubted',
    severity: 'error',
    subject: `${kind === 'all' ? 'all' : 'many'} nodes (IPv${of})`,
    message,
    advice: `check the switch, and ${lan} of this gateway: ip -s link show ${lan}; ip -${of} neigh show dev ${lan}`,
  };
}

export function blind(why: string): Problem {
  return {
    code: 'probe-blind',
    severity: 'error',
    subject: 'probe of the nodes',
    message: `the neighbour table cannot be read (${why}): no node is left out for its silence`,
    advice: 'see the journal of the kernel; the probe goes on trying',
  };
}
