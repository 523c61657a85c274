import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { parsePrefix } from '../../src/model/ip.ts';
import type { Listing } from '../../src/model/listing.ts';
import { type Change, changeObject, keyOf, type Route } from '../../src/model/object.ts';
import { ownerOf } from '../../src/model/owner.ts';
import { address, report, type Times, task } from './run.ts';

// Our own layer, as the engine uses it: values in, a map of values out.

const { count, nhid, table, protocol } = task();
const routes = Array.from(
  { length: count },
  (_, i): Route => ({
    kind: 'route',
    table,
    dst: parsePrefix(address(i)),
    metric: 0,
    protocol,
    type: 'unicast',
    nhid,
    hops: [],
    src: undefined,
  }),
);
const additions = routes.map((want): Change => ({ verb: 'add', want }));
const deletions = routes.map((have): Change => ({ verb: 'delete', have }));
const scope = { owner: ownerOf(protocol), tables: [table], sysctls: [], nftTables: [], neighbours: [] };
const { signal } = new AbortController();
await using kernel = await LinuxKernel.open(join(tmpdir(), `eip-bench-${process.pid}`));

async function change(changes: readonly Change[]): Promise<void> {
  const refused = (await kernel.apply(changes, signal)).find((outcome) => outcome !== undefined);
  if (refused) throw refused;
}

async function look(): Promise<Listing> {
  return kernel.list(scope, signal);
}

function check({ objects }: Listing): void {
  const wanted = new Set(additions.map((change) => keyOf(changeObject(change))));
  const odd = [...objects].filter(([key]) => !wanted.has(key)).map(([, object]) => JSON.stringify(object));
  if (odd.length > 0 || objects.size !== count) {
    throw new Error(
      `the dump has ${objects.size} routes, not ${count}; strangers: ${odd.join(' ') || 'none'}`,
    );
  }
}

/** ms by the clock, ms of processor time, of all threads. */
async function measured<T>(deed: () => Promise<T>): Promise<{ time: number; work: number; result: T }> {
  const before = process.cpuUsage();
  const start = performance.now();
  const result = await deed();
  const time = performance.now() - start;
  const { user, system } = process.cpuUsage(before);
  return { time, work: (user + system) / 1000, result };
}

/** What it took to make the input is not part of the work: swept away, by other threads too, before the clock starts. */
async function round(): Promise<Times> {
  globalThis.gc?.();
  await sleep(100);
  const add = await measured(() => change(additions));
  const dump = await measured(look);
  check(dump.result);
  const gone = await measured(() => change(deletions));
  const work = { add: add.work, dump: dump.work, delete: gone.work };
  return { add: add.time, dump: dump.time, delete: gone.time, work };
}

// The sixth word says whether the process has done it before, as a daemon has, or is just started.
if (process.argv[6] === 'running') for (let i = 0; i < 3; i += 1) await round();
report(await round());
