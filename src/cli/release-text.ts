import { compareIp, type Ip } from '../model/ip.ts';
import { printable } from '../model/text.ts';
import { counted, span } from '../status/state.ts';
import type { GatewayStatus, HeldStatus } from '../status/status.ts';

/** EIPs that are listed. */
const most = 20;

/** The deletes that a release would let go. @param only of these EIPs; empty: all */
export function releasable(
  { held }: Pick<GatewayStatus, 'held'>,
  only: readonly Ip[] = [],
): readonly HeldStatus[] {
  return held.filter(
    ({ reason, eip }) =>
      reason === 'too many at once' && (only.length === 0 || (eip !== undefined && only.includes(eip))),
  );
}

/** What `eiproute release --show` prints. @param only of these EIPs; empty: all */
export function heldText(
  status: Pick<GatewayStatus, 'held' | 'eips' | 'now'>,
  only: readonly Ip[] = [],
): string {
  const held = releasable(status, only);
  if (held.length === 0) {
    const others = status.held.length;
    if (others === 0) return 'nothing is held\n';
    return `nothing is held that a release could let go; ${counted(others, 'change')} ${others === 1 ? 'waits' : 'wait'} for another reason: eiproute status\n`;
  }
  const eips = held
    .flatMap(({ eip, services = [] }) => (eip === undefined ? [] : [{ eip, services }]))
    .sort((a, b) => compareIp(a.eip, b.eip));
  const all = releasable(status).filter(({ eip }) => eip !== undefined).length;
  const would =
    eips.length < all
      ? `${eips.length} of ${counted(all, 'held EIP')} would go, the others stay held`
      : eips.length > 0
        ? `${eips.length} of ${counted(status.eips.routed + eips.length, 'EIP')} would go`
        : `${counted(held.length, 'change')} would be made`;
  const until = held[0]?.until;
  const left =
    until === undefined
      ? ''
      : ` Held until ${until} (${span(Date.parse(until) - Date.parse(status.now))} left).`;
  const width = Math.max(0, ...eips.map(({ eip }) => eip.length));
  const lines = [`${would}: too much at once.${left}`];
  for (const { eip, services } of eips.slice(0, most))
    lines.push(`  ${eip.padEnd(width)}  ${services.join(', ')}`);
  if (eips.length > most) lines.push(`  and ${eips.length - most} more: --json has all`);
  const namespaces = new Set(eips.flatMap(({ services }) => services.map((name) => name.split('/')[0])));
  const [namespace] = namespaces;
  if (eips.length > 1 && namespaces.size === 1) lines.push(`All of them are in namespace ${namespace}.`);
  return lines.map((line) => `${printable(line)}\n`).join('');
}
