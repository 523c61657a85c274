import type { Refusals } from '../model/desired-object.ts';
import { defaultNat, type Gateway } from '../model/gateway.ts';
import { type Family, families, family, type Prefix } from '../model/ip.ts';
import { groupBlocks, natTableName, templateName } from '../model/nat.ts';
import { nftTable } from '../model/nft.ts';
import { keyOf, type NftTable } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { usesNat } from './nat-mode.ts';
import type { Add } from './plain-routes.ts';

/**
 * The frame of the table of NAT: all but the groups and the EIPs, which are objects of their own; undefined where no pool
 * has mode nat.
 *
 * The address of the node comes from the group, and the port from the Service, so that neither is multiplied by the
 * other: of 300,000 elements (1,000 Services of 3 ports on 100 nodes) 6,256 are left.
 */
export function natFrame(gateway: Gateway): NftTable | undefined {
  if (!usesNat(gateway)) return undefined;
  const { seed } = gateway.nat ?? defaultNat;
  const content = `${families.map(maps).join('')}${families
    .map((of) => groupBlocks(templateName(of), of, seed))
    .join('')}${entry('prerouting', admission)}${entry('output', '')}  chain postrouting {
    type nat hook postrouting priority 95; policy accept;
    ct status dnat ct original ip daddr @eips4 goto source
    ct status dnat ct original ip6 daddr @eips6 goto source
  }
  chain source {
${sourceRules(gateway)
  .map((rule) => `    ${rule}\n`)
  .join('')}  }
${refusal('forward')}${refusal('output')}  chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }
`;
  return nftTable(natTableName(gateway.protocol), gateway.protocol, content);
}

function maps(of: Family): string {
  const address = of === 4 ? 'ipv4_addr' : 'ipv6_addr';
  const key = `${address} . inet_proto . inet_service`;
  return `  set eips${of} {
    type ${address}
  }
  set limited${of} {
    type ${key}
  }
  set ranges${of} {
    type ${key} . ${address}
    flags interval
  }
  map port${of} {
    type ${key} : inet_service
  }
  map service${of} {
    type ${key} : verdict
  }
`;
}

/** Five before the others': the first NAT of a connection wins. `dstnat` is no name in an output hook. */
function entry(hook: 'prerouting' | 'output', first: string): string {
  return `  chain ${hook} {
    type nat hook ${hook} priority -105; policy accept;
${first}    ip daddr . meta l4proto . th dport vmap @service4
    ip6 daddr . meta l4proto . th dport vmap @service6
  }
`;
}

/**
 * kube-proxy asks for `loadBalancerSourceRanges` at the EIP and not at the NodePort, and may see another address. As there,
 * who is not let in gets no answer.
 */
const admission = families
  .map((of) => {
    const key = `${word(of)} daddr . meta l4proto . th dport`;
    return `    ${key} @limited${of} ${key} . ${word(of)} saddr != @ranges${of} drop\n`;
  })
  .join('');

/** What no map has taken would go to a node as it is. A ping is refused as well: a Service has none. */
function refusal(hook: 'forward' | 'output'): string {
  return `  chain refuse_${hook} {
    type filter hook ${hook} priority -5; policy accept;
    ip daddr @eips4 goto refuse
    ip6 daddr @eips6 goto refuse
  }
`;
}

/** For connections to EIPs alone: everything else that this host forwards keeps its address. */
function sourceRules({ lan, uplink, nat = defaultNat }: Gateway): readonly string[] {
  const { source, inside } = nat;
  if (source === 'masquerade') return ['masquerade'];
  if (source !== 'preserve')
    return [...source.map((ip) => `snat ${word(family(ip))} to ${ip}`), 'masquerade'];
  const networks = families.flatMap((of) => {
    const some = inside.filter((prefix: Prefix) => family(prefix) === of);
    return some.length === 0 ? [] : [`${word(of)} saddr { ${some.join(', ')} } masquerade`];
  });
  // With one interface for both sides it says nothing about who asks.
  const hairpin = lan === uplink ? [] : [`iifname ${JSON.stringify(lan)} masquerade`];
  return [...hairpin, ...networks, 'fib saddr type local masquerade'];
}

function word(of: Family): 'ip' | 'ip6' {
  return of === 4 ? 'ip' : 'ip6';
}

/** Wants the frame. What is in it, and the routes of its EIPs, wait for it where the kernel refuses it. */
export function natFrames(gateway: Gateway, refused: Refusals, add: Add): readonly Problem[] {
  const frame = natFrame(gateway);
  if (frame === undefined) return [];
  add(frame, { text: 'NAT to NodePorts' });
  const refusal = refused.get(keyOf(frame));
  if (refusal === undefined) return [];
  return [
    {
      code: 'nat',
      severity: 'error',
      subject: 'NAT',
      message: `the table of NAT cannot be made: ${refusal.message}; EIPs of mode nat that have no route yet get none`,
      advice: 'install nftables, and see that the kernel has nf_nat, nft_hash and nft_masq',
    },
  ];
}
