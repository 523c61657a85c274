import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { address, report, task, timed } from './run.ts';

// iproute2: a file of commands in one process; its files are written before the clock starts.

const { count, nhid, table, protocol } = task();
const folder = mkdtempSync(join(tmpdir(), 'eip-bench-'));
const additions = join(folder, 'add');
const deletions = join(folder, 'delete');
const lines = (verb: 'add' | 'del') =>
  Array.from({ length: count }, (_, i) => {
    const way = verb === 'add' ? ` nhid ${nhid}` : '';
    return `route ${verb} ${address(i)}${way} table ${table} proto ${protocol}\n`;
  }).join('');
writeFileSync(additions, lines('add'));
writeFileSync(deletions, lines('del'));
const ip = (...words: string[]) =>
  execFileSync('ip', words, { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'inherit'] });

try {
  report({
    add: await timed(() => ip('-batch', additions)),
    dump: await timed(() => ip('route', 'show', 'table', String(table), 'proto', String(protocol))),
    delete: await timed(() => ip('-batch', deletions)),
  });
} finally {
  rmSync(folder, { recursive: true });
}
