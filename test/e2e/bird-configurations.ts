import { gateway, gateway2, upstream } from '../../lab/network/map.ts';
import type { Part } from './two-gateways.ts';

/** How fast a dead neighbour is noticed. A test is slower than docs/high-availability.md: other programs run beside it. */
export interface Bfd {
  /** ms */
  readonly interval: number;
  readonly multiplier: number;
}

const slow: Bfd = { interval: 200, multiplier: 5 };

function bfdText({ interval, multiplier }: Bfd): string {
  return `protocol bfd {
  interface "eth1" { min rx interval ${interval} ms; min tx interval ${interval} ms; multiplier ${multiplier}; };
}
`;
}

/** What a person writes beside the include of `eiproute bird`: docs/high-availability.md has the same. */
export function ownBird(part: Part, include: string, bfd = slow): string {
  return `router id ${(part === 'gateway' ? gateway : gateway2).uplink.v4};
protocol device { scan time 10; }
include "${include}";
${bfdText(bfd)}template bgp upstream {
  local as 65001; hold time 9; keepalive time 3; bfd on;
  connect delay time 1; connect retry time 1; error wait time 0, 0;
}
protocol bgp up4 from upstream {
  neighbor ${upstream.outer.v4} as 65000;
  ipv4 { table eip4; import none; export filter eip_out; next hop self; };
}
protocol bgp up6 from upstream {
  neighbor ${upstream.outer.v6} as 65000;
  ipv6 { table eip6; import none; export filter eip_out; next hop self; };
}
`;
}

/** A router with ECMP over whoever announces. */
export function upstreamBird(bfd = slow): string {
  return `router id ${upstream.outer.v4};
protocol device { scan time 10; }
${bfdText(bfd)}protocol kernel k4 { merge paths on; ipv4 { import none; export all; }; }
protocol kernel k6 { merge paths on; ipv6 { import none; export all; }; }
template bgp below {
  local as 65000; hold time 9; keepalive time 3; bfd on; error wait time 0, 0; passive;
}
${[gateway, gateway2]
  .map(
    (
      { uplink },
      i,
    ) => `protocol bgp gw${i + 1}v4 from below { neighbor ${uplink.v4} as 65001; ipv4 { import all; export none; }; }
protocol bgp gw${i + 1}v6 from below { neighbor ${uplink.v6} as 65001; ipv6 { import all; export none; }; }
`,
  )
  .join('')}`;
}
