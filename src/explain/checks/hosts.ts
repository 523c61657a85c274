import { some } from '../../status/need.ts';
import type { HostFacts } from '../doctor-facts.ts';
import { unanswered } from '../unanswered.ts';

/** Of hosts that are asked by ARP or NDP: how many answer, and which do not. */
export function answering(hosts: readonly HostFacts[], link: string) {
  const deaf = hosts.filter(({ state }) => unanswered.has(state) || state === undefined);
  const finding = `${hosts.length - deaf.length} of ${hosts.length} answer ARP or NDP on ${link}`;
  return { deaf, finding, names: some(deaf.map(({ name, ip }) => `${name} (${ip})`)) };
}
