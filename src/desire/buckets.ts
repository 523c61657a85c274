import { compareIp, type Ip, ipBytes } from '../model/ip.ts';

/** A node with its part of the flows. */
export interface Weighed {
  readonly ip: Ip;
  /** At least 1. */
  readonly weight: number;
}

/**
 * The node of each bucket: a function of the nodes, their weights and the seed, never of what was before. Two gateways
 * fill their buckets alike, so a flow that moves to the other gateway stays with its node.
 *
 * Each node has its share of the buckets, rounded, so nobody gets less for an unlucky hash. Which ones they are is a
 * rendezvous: of all pairs of a bucket and a node, the one that hashes highest is taken first. When a node goes, its
 * buckets move, and few others. Of more nodes than buckets, as many as there are buckets get one each.
 *
 * @param nodes not empty, each address once
 */
export function fillBuckets(nodes: readonly Weighed[], count: number, seed: number): readonly Ip[] {
  const all = [...nodes].sort((a, b) => compareIp(a.ip, b.ip));
  const shares = quotas(all, count);
  // However many nodes there are: at most as many as there are buckets have a share.
  const sorted = all.filter((_, i) => shares[i] !== 0);
  const rooms = shares.filter((share) => share !== 0);
  const hashes = sorted.map(({ ip }) => hashOf(ip, seed));
  const pairs = new Float64Array(sorted.length * count);
  // The hash decides, then the position: one number sorts both. 32 and 21 bits are what a double holds.
  for (const [node, hash] of hashes.entries())
    for (let bucket = 0; bucket < count; bucket += 1) {
      const at = node * count + bucket;
      pairs[at] = mix(hash ^ mix(bucket + 1)) * positions + at;
    }
  pairs.sort();
  const filled: (Ip | undefined)[] = Array.from({ length: count });
  for (let i = pairs.length - 1; i >= 0; i -= 1) {
    const at = (pairs[i] ?? 0) % positions;
    const node = Math.floor(at / count);
    const bucket = at % count;
    const room = rooms[node] ?? 0;
    if (room === 0 || filled[bucket] !== undefined) continue;
    rooms[node] = room - 1;
    filled[bucket] = sorted[node]?.ip;
  }
  return filled.filter((ip) => ip !== undefined);
}

/** More than there are pairs: of 256 nodes and 256 buckets, 65,536. */
const positions = 2 ** 21;

/** How many buckets each node gets: its share, rounded so that the sum is right (largest remainder, then address). */
function quotas(nodes: readonly Weighed[], count: number): number[] {
  const total = nodes.reduce((sum, { weight }) => sum + weight, 0);
  const rooms = nodes.map(({ weight }) => Math.floor((weight * count) / total));
  const left = count - rooms.reduce((sum, room) => sum + room, 0);
  const byRemainder = nodes
    .map(({ weight }, i) => ({ i, remainder: (weight * count) % total }))
    .sort((a, b) => b.remainder - a.remainder || a.i - b.i);
  for (const { i } of byRemainder.slice(0, left)) rooms[i] = (rooms[i] ?? 0) + 1;
  return rooms;
}

/** FNV-1a over the bytes of the address, begun with the seed. */
function hashOf(ip: Ip, seed: number): number {
  let hash = mix(seed ^ 0x811c9dc5);
  for (const byte of ipBytes(ip)) hash = Math.imul(hash ^ byte, 0x01000193);
  return mix(hash);
}

/** The finalizer of MurmurHash3: every bit of the input counts in every bit of the result. 32 bits, unsigned. */
function mix(bits: number): number {
  let hash = bits;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
