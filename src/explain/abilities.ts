import { getuid } from 'node:process';
import { readWith } from '../kernel/program.ts';
import type { AbilityFacts } from './doctor-facts.ts';
import type { NotAsked } from './trace-facts.ts';

/** Says the name of each ability that the kernel has. */
const script = `
ip link set lo up
ip nexthop add id 1 dev lo 2>&1 && echo can nexthop
ip nexthop add id 2 group 1 2>&1 && echo can group
ip nexthop add id 3 group 1 type resilient buckets 8 2>&1 && echo can resilient
test -e /proc/sys/net/ipv6/conf/all/forwarding && echo can ipv6
nft add table inet eiproute 2>&1 && echo can nft
true
`;

/** Tries what the kernel can do in a network namespace of its own, which is gone afterwards. */
export async function tryAbilities(
  wanted: readonly string[],
  signal: AbortSignal,
): Promise<AbilityFacts | NotAsked> {
  const ids = getuid?.() === 0 ? [] : ['--user', '--map-root-user'];
  const ended = await readWith('unshare', [...ids, '--net', 'sh', '-c', script], signal);
  if (ended.kind === 'not run') return { kind: 'not asked', why: ended.why };
  if (ended.status !== 0) return { kind: 'not asked', why: ended.err };
  const able = [...ended.out.matchAll(/^can (\w+)$/gm)].map(([, name = '']) => name);
  return { kind: 'tried', able: new Set(able), wanted };
}
