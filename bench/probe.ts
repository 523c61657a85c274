import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Probe } from './runs/probe.ts';
import { table } from './table.ts';

const counts: readonly (readonly [nodes: number, families: '4' | 'both'])[] = [
  [100, '4'],
  [100, 'both'],
  [1000, '4'],
  [1000, 'both'],
];

/** What the probe of nodes costs that all answer. */
export function probe(): string {
  const script = fileURLToPath(new URL('runs/probe.ts', import.meta.url));
  const columns = counts.map(([nodes, families]) => {
    const out = execFileSync('unshare', ['--net', process.execPath, script, String(nodes), families], {
      timeout: 300_000,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const found: Probe = JSON.parse(out.toString());
    return {
      head: `${nodes.toLocaleString('en')} nodes, ${families === '4' ? 'IPv4' : 'both families'}`,
      found,
    };
  });
  return [
    'the probe of nodes that all answer, with the shipped defaults',
    table([
      ['', ...columns.map(({ head }) => head)],
      ['processor time, % of a core (aim: 3)', ...columns.map(({ found }) => found.share.toFixed(1))],
      ['believed to be dead', ...columns.map(({ found }) => String(found.silent))],
      ['in the neighbour table', ...columns.map(({ found }) => String(found.table))],
    ]),
  ].join('\n');
}
