import { readFileSync } from 'node:fs';
import type { Family } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';

/**
 * Beyond gc_thresh2 Linux takes entries away that it does not need in this moment, and a node that is asked all the time has
 * none to spare; beyond gc_thresh3 it refuses new ones ("neighbour table overflow"), and nodes look dead.
 */
export function neighbourLimit(of: Family, nodes: number, limit: number | undefined): readonly Problem[] {
  if (limit === undefined || nodes <= limit) return [];
  const folder = `net.ipv${of}.neigh.default`;
  const [two, three] = [4 * nodes, 8 * nodes];
  return [
    {
      code: 'neighbour-table-small',
      severity: 'warn',
      subject: `neighbour table (IPv${of})`,
      message: `the kernel keeps ${limit} neighbours without pressure (${folder}.gc_thresh2), and there are ${nodes} nodes: some may look dead`,
      advice: `sysctl -w ${folder}.gc_thresh2=${two} ${folder}.gc_thresh3=${three}, and in /etc/sysctl.d`,
    },
  ];
}

/** undefined: a network namespace other than the first one does not show it. */
export function gcThreshold(of: Family): number | undefined {
  try {
    return Number(readFileSync(`/proc/sys/net/ipv${of}/neigh/default/gc_thresh2`, 'utf8'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
