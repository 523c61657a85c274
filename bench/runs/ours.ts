import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import { parsePrefix } from '../../src/model/ip.ts';
import { type Change, changeObject, keyOf, type Route } from '../../src/model/object.ts';
import { ownerOf } from '../../src/model/owner.ts';
import { address, report, task, timed } from './run.ts';

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
const { signal } = new AbortController();
await using kernel = await LinuxKernel.open(join(tmpdir(), `eip-bench-${process.pid}`));

async function change(changes: readonly Change[]): Promise<void> {
  const refused = (await kernel.apply(changes, signal)).find((outcome) => outcome !== undefined);
  if (refused) throw refused;
}

/** @returns ms; the check is not in them */
async function dump(): Promise<number> {
  const start = performance.now();
  const scope = { owner: ownerOf(protocol), tables: [table], sysctls: [] };
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

report({
  add: await timed(() => change(additions)),
  dump: await dump(),
  delete: await timed(() => change(deletions)),
});
