import { release } from 'node:os';
import { allocations } from './allocation.ts';
import { announce } from './announce.ts';
import { cluster } from './cluster.ts';
import { decision } from './decision.ts';
import { latency } from './events.ts';
import { failover } from './failover.ts';
import { gateways } from './gateways.ts';
import { load } from './load.ts';
import { memory, soak } from './memory.ts';
import { nat } from './nat.ts';
import { probe } from './probe.ts';
import { routes } from './routes.ts';
import { scale } from './scale.ts';
import { starts } from './start.ts';
import { takeovers } from './takeover.ts';
import { watched } from './watched.ts';

// npm run bench [-- NAME ...]: everything that we claim about speed and memory, measured here and now, one table after
// the other. A table is a function that measures and returns its text.
const tables: Readonly<Record<string, () => string | Promise<string>>> = {
  routes,
  events: latency,
  decision,
  watched,
  start: starts,
  allocations,
  memory,
  soak,
  cluster,
  scale,
  failover,
  gateways,
  nat,
  takeovers,
  announce,
  probe,
  load,
};
/** They take many minutes, and are run when they are asked for. */
const long = [
  'soak',
  'watched',
  'cluster',
  'scale',
  'failover',
  'gateways',
  'nat',
  'takeovers',
  'announce',
  'probe',
  'load',
];

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(tables, name));
if (unknown !== undefined) {
  process.stderr.write(`bench: no table "${unknown}"; there are ${Object.keys(tables).join(', ')}\n`);
  process.exit(1);
}
if (process.getuid?.() !== 0) {
  process.stderr.write('bench: needs root, for network namespaces: sudo npm run bench\n');
  process.exit(1);
}
process.stdout.write(`Linux ${release()}, Node ${process.versions.node}\n`);
for (const [name, measure] of Object.entries(tables)) {
  if (asked.length === 0 ? !long.includes(name) : asked.includes(name))
    process.stdout.write(`\n${await measure()}\n`);
}
