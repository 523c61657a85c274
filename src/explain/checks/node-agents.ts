import { defaultNat, type Gateway } from '../../model/gateway.ts';
import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';

const natAdvice =
  'make this gateway the default route of the nodes, or set nat.source to masquerade or to an address of the LAN';

export function agentsCheck({ agents, daemon }: DoctorFacts, { lan, nat = defaultNat }: Gateway): Check {
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
    const { to, fromLan, fromUplink, node } = asked;
    if (fromLan.kind === 'failed')
      return { state: '?' as const, text: `${whose}: not known: ${to} does not answer (${fromLan.code})` };
    if (node !== undefined && nat.source !== 'preserve')
      return {
        state: 'ok' as const,
        text:
          fromUplink.kind === 'failed'
            ? `${whose}: replies of ${node} take another way than this gateway, and need none: nat.source gives connections its address`
            : `${whose}: replies of ${node} come back by ${lan}; nat.source: preserve would show nodes the clients' addresses`,
      };
    if (node !== undefined && fromUplink.kind === 'failed')
      return {
        state: 'FAIL' as const,
        text: `${whose}: ${to} answers on the LAN, and replies of ${node} to an address beyond it do not come back by ${lan} (${fromUplink.code}), which nat.source: preserve needs`,
        advice: natAdvice,
      };
    if (fromUplink.kind === 'failed')
      return {
        state: 'FAIL' as const,
        text: `${whose}: ${to} answers on the LAN, and its replies beyond the LAN do not come back`,
      };
    return { state: 'ok' as const, text: `${whose}: replies of ${node ?? to} come back` };
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
        ? first !== undefined && 'advice' in first
          ? first.advice
          : 'on the node: eiproute status --config /etc/eiproute/node.yaml; its eips must hold the pool, its gateways this host'
        : worst === '?'
          ? 'eiproute trace EIP --probe asks about one address'
          : undefined,
  });
}
