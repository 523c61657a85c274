import type { Network } from '../../lab/network/network.ts';
import { type Ip, ipNumber } from '../../src/model/ip.ts';

export interface Counting {
  /** Of nftables, and where the chain is: `ip6`, `filter hook input priority 0`. */
  readonly family: string;
  readonly hook: string;
  /** What is counted, in the words of nft: `{ solicitations: 'icmpv6 type nd-neighbor-solicit' }`. */
  readonly rules: Readonly<Record<string, string>>;
}

/** Counts packets in a namespace of the network, by rules of nft; the last call counts from 0. */
export async function countPackets(
  net: Network,
  part: string,
  { family, hook, rules }: Counting,
): Promise<() => Promise<Readonly<Record<string, number>>>> {
  const table = `${family} counts`;
  const names = Object.keys(rules);
  const text = `table ${table} {}
delete table ${table}
table ${table} {
${names.map((name) => `  counter ${name} {}\n`).join('')}  chain counting {
    type ${hook}; policy accept;
${Object.entries(rules)
  .map(([name, match]) => `    ${match} counter name ${name}\n`)
  .join('')}  }
}
`;
  await net.run(part, { argv: ['nft', '-f', '-'], input: text });
  return async () => {
    const shown = await net.run(part, {
      argv: ['nft', '-j', 'list', 'counters', 'table', ...table.split(' ')],
    });
    const listed: readonly { readonly counter?: { readonly name: string; readonly packets: number } }[] =
      JSON.parse(shown).nftables;
    return Object.fromEntries(
      listed.flatMap(({ counter }) => (counter ? [[counter.name, counter.packets]] : [])),
    );
  };
}

/** Matches neighbour advertisements and solicitations by their target, for which nft 1.0.6 has no word. */
export function targetIs(ip: Ip): string {
  return `@th,64,128 0x${ipNumber(ip).toString(16).padStart(32, '0')}`;
}
