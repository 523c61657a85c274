import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Decision } from './runs/decision.ts';
import { median, table } from './table.ts';

const eips = 100_000;

/** A node is decided to be silent: what the kernel is told, and when. */
export function decision(): string {
  const script = fileURLToPath(new URL('runs/decision.ts', import.meta.url));
  const out = execFileSync('unshare', ['--net', process.execPath, script, String(eips)], {
    timeout: 600_000,
    maxBuffer: 1 << 26,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const found: readonly Decision[] = JSON.parse(out.toString());
  const row = (label: string, cell: (one: Decision) => string): readonly string[] => [
    label,
    ...found.map(cell),
  ];
  return [
    `a node is decided to be silent, ${eips.toLocaleString('en')} EIPs: until all of them are right, ms`,
    table([
      ['', ...found.map(({ name }) => name)],
      row('messages', ({ messages }) => String(messages)),
      row('median of 15 (aim: 5)', ({ first }) => median(first).toFixed(1)),
      row('the fastest', ({ first }) => Math.min(...first).toFixed(1)),
      row('the round that does it: median', ({ whole }) => median(whole).toFixed(1)),
    ]),
  ].join('\n');
}
