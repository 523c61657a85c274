import { release } from 'node:os';
import { allocations } from './allocation.ts';
import { latency } from './events.ts';
import { routes } from './routes.ts';

// npm run bench: everything that we claim about speed, measured here and now, one table after the other.
// A table is a function that measures and returns its text.
const tables: readonly (() => string | Promise<string>)[] = [routes, latency, allocations];

if (process.getuid?.() !== 0) {
  process.stderr.write('bench: needs root, for network namespaces: sudo npm run bench\n');
  process.exit(1);
}
process.stdout.write(`Linux ${release()}, Node ${process.versions.node}\n`);
for (const measure of tables) process.stdout.write(`\n${await measure()}\n`);
