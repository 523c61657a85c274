import type { Gateway } from '../../model/gateway.ts';
import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';
import { allowance } from '../firewall-managers.ts';
import type { ForwardVerdict } from '../forward-hooks.ts';

/** In the words of the program that made the chain, where it is known. */
function advice({ by, manager }: Dropped, uplink: string, lan: string): string {
  return manager === undefined
    ? `allow ${uplink} -> ${lan} there: nft -a list ruleset`
    : allowance(manager, by, uplink, lan);
}

type Dropped = Extract<ForwardVerdict, { kind: 'drops' }>;

export function firewallCheck({ firewall }: DoctorFacts, { lan, uplink }: Gateway): Check {
  const name = 'firewall';
  const way = `${uplink} -> ${lan}`;
  const dropped = firewall.find(({ verdict }) => verdict.kind === 'drops');
  if (dropped?.verdict.kind === 'drops')
    return check(
      name,
      'FAIL',
      `TCP to pool ${dropped.pool} (IPv${dropped.family}) is dropped by ${dropped.verdict.by}`,
      {
        advice: advice(dropped.verdict, uplink, lan),
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
