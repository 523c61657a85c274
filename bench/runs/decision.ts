import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readerOf } from '../../src/desire/cluster-reader.ts';
import { nftTableNames } from '../../src/desire/gateway.ts';
import { GatewayDesire } from '../../src/desire/gateway-desire.ts';
import { sysctlNames } from '../../src/desire/sysctls.ts';
import type { Kernel } from '../../src/kernel/kernel.ts';
import { LinuxKernel } from '../../src/kernel/linux.ts';
import type { Node } from '../../src/model/cluster.ts';
import { type Ip, parseIp, parsePrefix } from '../../src/model/ip.ts';
import type { Change } from '../../src/model/object.ts';
import { ownerOf } from '../../src/model/owner.ts';
import { type Standing, unprobed } from '../../src/model/probed.ts';
import { Reconciler, type Role } from '../../src/reconcile/reconciler.ts';
import { endpoint, gateway, node, service, snapshot } from '../../test/scene.ts';
import { eipOf, nodes as nodeCount, setUpLinks } from './world.ts';

// Run in a fresh network namespace: node bench/runs/decision.ts EIPS
// The desire and the engine of a gateway on a real kernel, in this process. A node is decided to be silent, and serves
// again, some times over. Prints one object per case: {"first":[ms,...],"whole":[ms,...],"messages":n}: from the
// decision until the kernel has acknowledged the first batch, and until the round is over; changes in the first batch.

export interface Decision {
  readonly name: string;
  readonly first: readonly number[];
  readonly whole: readonly number[];
  /** Changes in the first batch. */
  readonly messages: number;
}

const count = Number(process.argv[2] ?? 0);
const cycles = 15;

setUpLinks();
const folder = mkdtempSync(join(tmpdir(), 'eip-decision-'));
const never = new AbortController().signal;
const nodes: readonly Node[] = Array.from({ length: nodeCount }, (_, i) =>
  node(`n${i}`, [`10.0.0.${i + 10}`]),
);
const victim = parseIp('10.0.0.10');

/** Notes when the first batch of changes since a moment was acknowledged, and its size. */
class Watched {
  readonly kernel: Kernel;
  first: { readonly at: number; readonly changes: number } | undefined;

  constructor(inner: LinuxKernel) {
    this.kernel = {
      list: (scope, signal) => inner.list(scope, signal),
      links: (signal) => inner.links(signal),
      hints: (signal) => inner.hints(signal),
      holders: (keys, signal) => inner.holders(keys, signal),
      apply: async (changes: readonly Change[], signal) => {
        const result = await inner.apply(changes, signal);
        this.first ??= { at: performance.now(), changes: changes.length };
        return result;
      },
      [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    };
  }
}

/** @param on the nodes of the n-th EIP under Local; undefined: Cluster */
async function measure(name: string, on: (i: number) => readonly string[] | undefined): Promise<Decision> {
  const settings = gateway({ pools: [{ name: 'bench', addresses: [parsePrefix('198.18.0.0/15')] }] });
  await using inner = await LinuxKernel.open(join(folder, name.replaceAll(/\W/g, '')));
  const watched = new Watched(inner);
  const services = Array.from({ length: count }, (_, i) => {
    const where = on(i);
    return service(`s${i}`, [eipOf(i)], {
      externalTrafficPolicy: where === undefined ? 'Cluster' : 'Local',
      endpoints: (where ?? ['n1']).map((each) => endpoint(each)),
    });
  });
  let standings: ReadonlyMap<Ip, Standing> = new Map();
  let isFirst = true;
  const desire = new GatewayDesire(settings, {
    cluster: readerOf(snapshot(nodes, services)),
    takeDelta: () => {
      const isAll = isFirst;
      isFirst = false;
      return {
        services: isAll ? 'all' : new Set(),
        nodes: isAll,
        byEvent: { services: new Set(), nodes: false },
      };
    },
    probed: {
      ...unprobed,
      get standings() {
        return standings;
      },
    },
    problems: () => [],
  });
  const role: Role = {
    scope: {
      owner: ownerOf(settings.protocol),
      tables: [settings.table],
      sysctls: sysctlNames(settings),
      nftTables: nftTableNames(settings.protocol),
      neighbours: [],
    },
    limits: { share: 1, window: 0, always: Number.POSITIVE_INFINITY, hold: 0 },
    desire,
  };
  const reconciler = new Reconciler(watched.kernel, () => Date.now());
  const round = (refresh: 'dump' | 'cached') =>
    reconciler.round(role, [{ kind: 'cluster', text: 'bench' }], refresh, never);
  await round('dump');
  const first: number[] = [];
  const whole: number[] = [];
  let messages = 0;
  for (let cycle = 0; cycle < cycles; cycle += 1) {
    for (const next of [new Map<Ip, Standing>([[victim, 'silent']]), new Map<Ip, Standing>()]) {
      watched.first = undefined;
      standings = next;
      const start = performance.now();
      await round('cached');
      if (next.size === 0) continue;
      const { at, changes } = watched.first ?? { at: Number.NaN, changes: 0 };
      first.push(at - start);
      whole.push(performance.now() - start);
      messages = changes;
    }
  }
  return { name, first, whole, messages };
}

const results = [
  await measure('all on 100 nodes (Cluster)', () => undefined),
  await measure('all on two nodes, one on the node that is left', (i) => (i === 0 ? ['n1'] : ['n0', 'n1'])),
];
process.stdout.write(JSON.stringify(results));
rmSync(folder, { recursive: true });
