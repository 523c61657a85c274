import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { parsePrefix } from '../../src/model/ip.ts';
import { type Change, changeObject, keyOf, type Route } from '../../src/model/object.ts';
import { ownerOf } from '../../src/model/owner.ts';
import { address, report, type Times, task, timed } from './run.ts';

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
const scope = { owner: ownerOf(protocol), tables: [table], sysctls: [], nftTables: [], stations: [] };
const { signal } = new AbortController();
await using kernel = await LinuxKernel.open(join(tmpdir(), `eip-bench-${process.pid}`));

async function change(changes: readonly Change[]): Promise<void> {
  const refused = (await kernel.apply(changes, signal)).find((outcome) => outcome !== undefined);
  if (refused) throw refused;
}

/** @returns ms; the check is not in them */
async function dump(): Promise<number> {
  const start = performance.now();
  const { objects } = await kernel.list(scope, signal);
  const ms = performance.now() - start;
  const wanted = new Set(additions.map((change) => keyOf(changeObject(change))));
  const odd = [...objects].filter(([key]) => !wanted.has(key)).map(([, object]) => JSON.stringify(object));
  if (odd.length > 0 || objects.size !== count) {
    throw new Error(
      `the dump has ${objects.size} routes, not ${count}; strangers: ${odd.join(' ') || 'none'}`,
    );
  }
  return ms;
}

/** What it took to make the input is not part of the work: swept away before the clock starts. */
async function round(): Promise<Times> {
  globalThis.gc?.();
  const add = await timed(() => change(additions));
  const read = await dump();
  return { add, dump: read, delete: await timed(() => change(deletions)) };
}

// The sixth word says whether the process has done it before, as a daemon has, or is just started.
if (process.argv[6] === 'running') await round();
report(await round());
