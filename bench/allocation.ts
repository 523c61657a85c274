import { rawNode, rawService, rawSlice } from '../lab/cluster/manifests.ts';
import { Allocator, allocate } from '../src/ipam/allocator.ts';
import type { Service } from '../src/model/cluster.ts';
import { ApiFixture } from '../test/contract/api-fixture.ts';
import { allocation, asking, pool } from '../test/unit/ipam/fake-cluster.ts';
import { table } from './table.ts';

const services = 65_536;
const singles = 1000;
const created = 300;

const terms = {
  pools: [pool('public', ['10.8.0.0/16'])],
  allocation,
  reserved: new Map(),
  nodeAddresses: () => [],
};
const name = (i: number): string => `s${String(i).padStart(6, '0')}`;

/** What deciding costs, and how long a Service waits for its address. */
export async function allocations(): Promise<string> {
  const fresh = Array.from({ length: services }, (_, i) => asking(name(i)));
  const cpu = process.cpuUsage();
  let first = allocate(terms, []);
  const allocated = took(() => {
    first = allocate(terms, fresh);
  });
  const { user } = process.cpuUsage(cpu);
  const shown = fresh.map(
    (one): Service => ({ ...one, ingress: first.decisions.get(`default/${one.name}`)?.ips ?? [] }),
  );
  const queued = new Set<string>();
  const full = new Allocator(terms, (key) => queued.add(key));
  const tell = (services: readonly Service[], gone: readonly string[]): void => {
    full.observe(services, gone);
    for (const key of queued) {
      queued.delete(key);
      full.converge(key);
    }
  };
  const adopt = took(() => tell(shown, []));
  // The worst place for a search: all is held but one address, anywhere.
  const each: number[] = [];
  for (let i = 0; i < singles; i += 1) {
    tell([], [`default/${name((i * 37) % services)}`]);
    const late = asking(name(services + i));
    each.push(took(() => tell([late], [])));
  }
  const waits = await pending();
  return [
    `${services.toLocaleString('en')} Services over a /16 that they fill; then an API server over TLS, in this process`,
    table([
      [
        'all of them are given an address',
        `${Math.round(allocated)} ms, ${Math.round(user / 1000)} ms of CPU`,
      ],
      ['all of them are found to have one (a restart)', `${Math.round(adopt)} ms`],
      ['one more, on full books: median', `${(at(each, 0.5) * 1000).toFixed(1)} us`],
      ['99 %', `${(at(each, 0.99) * 1000).toFixed(1)} us`],
      ['Service created -> address in its status: median (aim: 10 ms)', `${at(waits, 0.5).toFixed(1)} ms`],
      ['99 %', `${at(waits, 0.99).toFixed(1)} ms`],
    ]),
  ].join('\n');
}

/** @returns ms from the creation of a Service to its address, one after the other */
async function pending(): Promise<readonly number[]> {
  const kubernetes = rawService('kubernetes', { spec: { type: 'ClusterIP' }, eips: [] });
  await using api = await ApiFixture.open(rawNode('n1'), kubernetes, rawSlice('kubernetes', []));
  await api.gateway({ pools: terms.pools });
  const waits: number[] = [];
  for (let i = 0; i < created + 1; i += 1) {
    const start = performance.now();
    api.put(rawService(name(i), { eips: [] }));
    await api.until(() => api.ips(name(i)) !== '', 'an address');
    waits.push(performance.now() - start);
  }
  // The first one waits for the connection and the lists.
  return waits.slice(1);
}

function took(work: () => unknown): number {
  const start = performance.now();
  work();
  return performance.now() - start;
}

function at(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN;
}
