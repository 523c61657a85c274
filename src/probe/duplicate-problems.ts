import type { Ip } from '../model/ip.ts';
import { family } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';

export interface Duplicate {
  readonly eip: Ip;
  readonly mac: string;
  /** This gateway answers for it all the same. */
  readonly isAnswered: boolean;
}

export function duplicateEip({ eip, mac, isAnswered }: Duplicate, segment: string): Problem {
  const [protocol, ask] =
    family(eip) === 4 ? ['ARP', `arping -D -I ${segment} ${eip}`] : ['NDP', `ndisc6 ${eip} ${segment}`];
  const what = isAnswered
    ? 'this gateway answers for it too, and clients reach the one or the other'
    : 'this gateway does not answer for it';
  return {
    code: 'eip-duplicate',
    severity: 'error',
    subject: eip,
    message: `${eip} is claimed by ${mac} on ${segment} (${protocol}); ${what}`,
    advice: `find the host (${ask}; the switch knows the port of ${mac}) and take the address from it, or out of the pool`,
    eip,
  };
}

/** @param why in the kernel's words */
export function segmentBlind(why: string, segment: string): Problem {
  const isForbidden = why.startsWith('EPERM');
  return {
    code: 'segment-blind',
    severity: 'error',
    subject: `layer 2 on ${segment}`,
    message: `hosts on ${segment} can neither be asked whether an EIP is taken, nor told where it is (${why}): this gateway begins to answer for no EIP`,
    advice: isForbidden
      ? 'the unit needs CAP_NET_RAW: link /usr/share/eiproute/layer2.conf into /etc/systemd/system/eiproute-gateway.service.d/, then systemctl daemon-reload and restart'
      : `ip link show dev ${segment}; it goes on trying`,
  };
}
