import type { Gateway } from '../../model/gateway.ts';
import { family, type Ip } from '../../model/ip.ts';
import { sysctlName } from '../../model/iproute.ts';
import { allowance } from '../firewall-managers.ts';
import type { KernelFacts, TraceFacts } from '../trace-facts.ts';
import { deadInterface, type Step, step } from './step.ts';

export function forwardingStep({ gateway, view }: TraceFacts, kernel: KernelFacts): Step {
  const { uplink, lan } = gateway;
  const { sysctls, forwarded, firewall } = kernel;
  const dead = deadInterface(kernel, uplink);
  if (dead !== undefined)
    return step('forwarding', 'FAIL', dead, {
      why: `${dead}: no packet of a client comes in`,
      advice: 'ip link; correct uplink in the configuration, or bring the interface up',
    });
  const forwarding =
    view?.eip !== undefined && family(view.eip) === 6
      ? ['net/ipv6/conf/all/forwarding']
      : ['net/ipv4/ip_forward', ...[uplink, lan].map((link) => `net/ipv4/conf/${link}/forwarding`)];
  const off = forwarding.find((name) => sysctls.get(name) === '0');
  if (off !== undefined)
    return step('forwarding', 'FAIL', `${sysctlName(off)} is 0`, {
      why: `${sysctlName(off)} is 0: this host forwards nothing${onlyFrom(off, gateway)}`,
      advice: `sysctl -w ${sysctlName(off)}=1; the running daemon keeps it so`,
    });
  const filter = reversePath(kernel, uplink);
  if (forwarded.kind === 'refused' && (kernel.matched.kind === 'route' || kernel.matched.kind === 'unnamed'))
    return dropped(kernel, forwarded.why, { uplink, eip: view?.eip, filter });
  const way = `${sysctlName(forwarding[0] ?? '')} ${sysctls.get(forwarding[0] ?? '') ?? 'unknown'}; ${uplink} -> ${lan}`;
  const more =
    filter > 0
      ? [`rp_filter ${filter} on ${uplink}: clients whose way back is another interface are dropped`]
      : [];
  if (firewall.kind !== 'passes') return stopped(firewall, way, more, { uplink, lan });
  if (forwarded.kind === 'refused' || forwarded.kind === 'not asked')
    return step('forwarding', '?', `${way}; ${forwarded.why}`, { more, why: forwarded.why });
  return step('forwarding', more.length > 0 ? 'warn' : 'ok', `${way}; no forward hook of nft drops it`, {
    more,
  });
}

/** What of all packets such a setting is about, after `nothing`. */
function onlyFrom(sysctl: string, { uplink, lan }: Gateway): string {
  const link = [uplink, lan].find((one) => sysctl === `net/ipv4/conf/${one}/forwarding`);
  if (link === undefined) return '';
  return ` that comes in on ${link}${link === uplink ? '' : ', so no reply of a node'}`;
}

/** The kernel does not forward a packet of the client, by `ip route get`. */
function dropped(
  { client }: KernelFacts,
  why: string,
  { uplink, eip, filter }: { readonly uplink: string; readonly eip: Ip | undefined; readonly filter: number },
): Step {
  // Linux 6.18 says EINVAL for rp_filter, for a blackhole, and for a source that no client can have.
  const isSource = filter > 0 && /^(EXDEV|EINVAL)/.test(why);
  const ip = eip !== undefined && family(eip) === 6 ? 'ip -6' : 'ip';
  const because = isSource
    ? `rp_filter ${filter} on ${uplink} drops what comes from ${client}, since the way back to it is not ${filter === 1 ? uplink : 'known'}`
    : `the kernel drops a packet from ${client} that comes in on ${uplink}: ${why}`;
  return step('forwarding', 'FAIL', because, {
    why: because,
    advice: `${ip} route get ${eip} from ${client} iif ${uplink}; ${isSource ? filtering(uplink) : `${ip} rule show; ${ip} route show table all ${eip}`}`,
  });
}

function filtering(uplink: string): string {
  return `sysctl -w net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.${uplink.replaceAll('.', '/')}.rp_filter=0`;
}

/** The firewall drops the packet, or may drop it. */
function stopped(
  firewall: Exclude<KernelFacts['firewall'], { kind: 'passes' }>,
  way: string,
  more: readonly string[],
  { uplink, lan }: { readonly uplink: string; readonly lan: string },
): Step {
  switch (firewall.kind) {
    case 'drops':
      return step('forwarding', 'FAIL', `${way}; dropped by ${firewall.by}`, {
        more,
        why: `the firewall of this gateway drops it: ${firewall.by}`,
        advice:
          firewall.manager === undefined
            ? `allow ${uplink} -> ${lan} there; see the rules with their handles: nft -a list ruleset`
            : allowance(firewall.manager, firewall.by, uplink, lan),
      });
    case 'unclear':
      return step('forwarding', '?', `${way}; it depends on ${firewall.by}`, {
        more,
        why: `whether the firewall lets it pass depends on ${firewall.by}, which looks at more than is known here`,
        advice: 'nft -a list ruleset; --probe sends a packet',
      });
    case 'not asked':
      return step('forwarding', '?', `${way}; the firewall was not asked: ${firewall.why}`, {
        more,
        why: `the firewall was not asked: ${firewall.why}`,
        advice: 'install nftables, or look at the FORWARD chain of iptables by hand',
      });
    default:
      return firewall satisfies never;
  }
}

/** The kernel uses the larger of `all` and the interface. */
function reversePath({ sysctls }: KernelFacts, link: string): number {
  return Math.max(
    ...['all', link].map((name) => Number(sysctls.get(`net/ipv4/conf/${name}/rp_filter`) ?? 0)),
  );
}
