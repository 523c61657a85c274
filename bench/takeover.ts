import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { inside } from '../lab/process/namespace.ts';
import { LinuxSegment } from '../src/kernel/linux-segment.ts';
import { GatewayHost, serviceOn, standardWorld } from '../test/e2e/gateway-host.ts';
import { until } from '../test/e2e/until.ts';
import { table } from './table.ts';

const sizes = [10_000, 1000];
const rounds = 5;
const active = '203.0.113.100';
/** ms; the frames of one takeover are sent again after 5 s */
const quiet = 6000;

/**
 * The address of the active gateway comes: until a host of the segment has heard of the first and of the last EIP, in ms,
 * and the processor time of the daemon.
 */
export async function takeovers(): Promise<string> {
  const rows: string[][] = [];
  for (const size of sizes) rows.push(...(await takeoversOf(size)));
  return `layer 2: the address of the active gateway comes; medians of ${rounds}, ms\n${table([
    ['EIPs', 'first frame', 'last frame', 'CPU'],
    ...rows,
  ])}`;
}

async function takeoversOf(size: number): Promise<string[][]> {
  const eips = Array.from({ length: size }, (_, i) => `198.19.${i >> 8}.${i & 255}`);
  await using host = await GatewayHost.make({
    world: [...standardWorld.slice(0, 3), ...eips.flatMap((eip, i) => serviceOn(`s${i}`, [eip]))],
    pools: '[198.18.0.0/15], announce: layer2',
    settings: `hashSeed: 1\nactive: { address: ${active} }\npace: { resync: 1h }`,
  });
  const daemon = await host.start();
  await using far = new LinuxSegment();
  const [{ ifindex }] = JSON.parse(await host.ip('-json link show eth1-far'));
  inside(host.namespace, () => far.bind(ifindex));
  const end = new AbortController();
  const seen = new Map<string, number>();
  const listening = (async () => {
    for await (const heard of far.heard(end.signal))
      for (const { kind, ip } of heard)
        if (kind === 'claim' && ip.startsWith('198.19.') && !seen.has(ip)) seen.set(ip, performance.now());
  })();
  const proxies = async (): Promise<number> =>
    (await host.ip('neigh show proxy dev eth1')).split('\n').length - 1;
  await until('the proxies stand', proxies, (count) => count === size);
  const results: { readonly first: number; readonly last: number; readonly cpu: number }[] = [];
  for (let i = 0; i < rounds; i += 1) {
    await sleep(quiet);
    seen.clear();
    const [start, used] = [performance.now(), cpu(daemon.pid)];
    await host.ip(`address add ${active}/32 dev eth1`);
    await until(
      'every EIP is told of',
      async () => seen.size,
      (count) => count === size,
    );
    const times = [...seen.values()];
    results.push({
      first: Math.min(...times) - start,
      last: Math.max(...times) - start,
      cpu: cpu(daemon.pid) - used,
    });
    await sleep(quiet);
    await host.ip(`address del ${active}/32 dev eth1`);
  }
  end.abort();
  await listening;
  const median = (of: (one: (typeof results)[number]) => number): string =>
    String(Math.round(results.map(of).toSorted((a, b) => a - b)[rounds >> 1] ?? 0));
  return [[String(size), median(({ first }) => first), median(({ last }) => last), median((one) => one.cpu)]];
}

/** ms of a process, in the kernel's units of 10 */
function cpu(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(' ');
  return (Number(fields[13]) + Number(fields[14])) * 10;
}
