import { setTimeout as sleep } from 'node:timers/promises';
import { listAt, textAt } from '../../lab/cluster/api/json.ts';
import { assignedEips } from '../../lab/cluster/assigned-eips.ts';
import { type LabService, ready } from '../../lab/cluster/cluster.ts';
import { onlyFrom, quiet } from '../../lab/demo/verdict.ts';
import type { Lab } from '../../lab/lab.ts';
import type { Load } from '../../lab/load/load.ts';
import type { Pod } from '../../lab/network/network.ts';
import { now } from '../../lab/process/clock.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { type Ip, parseIp } from '../../src/model/ip.ts';

/** A load balancer that runs in a lab, and what it wants of a Service. */
export interface LoadBalancer extends AsyncDisposable {
  readonly name: string;
  /** For addresses that the lab's clients reach. */
  readonly reachable: Pick<LabService, 'annotations' | 'spec'>;
  /** For a thousand addresses that nobody asks. */
  readonly many: Pick<LabService, 'annotations' | 'spec'>;
  /** MiB: of the gateway or controller, and of what runs on a node. */
  memory(): Promise<{ readonly central: number; readonly node: number }>;
}

/** Times in ms. */
export interface Figures {
  readonly address: readonly number[];
  readonly first: readonly number[];
  readonly moved: readonly number[];
  readonly lostMoving: number;
  readonly cut: readonly number[];
  readonly all: number;
  readonly restart: number;
  readonly away: number;
  readonly central: number;
  readonly node: number;
}

/** ms; what has not happened by then does not */
const patience = 900_000;
/** ms between two requests of the load */
const every = 5;
/** ms that a pod which ends goes on serving */
const shutdown = 2000;
/** ms; the longest back-offs of clients are reached by then */
const longOutage = 55_000;
/** A cut is followed by as long a wait as the peers need. */
const cuts = 3;

export async function measure(
  lab: Lab,
  balancer: LoadBalancer,
  rounds: number,
  count: number,
): Promise<Figures> {
  const signal = AbortSignal.timeout(patience);
  const { network, cluster, proxy, clients } = lab;
  const pods = await Promise.all(
    network.nodes.map((name, i) => network.addPod(`web-${i + 1}`, name, signal)),
  );
  let number = 0;
  /** Makes a Service, gives its addresses and when it had them, and takes it away again after the work. */
  const withService = async <T>(
    policy: LabService['policy'],
    backends: readonly Pod[],
    work: (name: string, ips: readonly Ip[], start: number, at: number) => Promise<T>,
  ): Promise<T> => {
    number += 1;
    const name = `measured-${number}`;
    const start = now();
    const [given] = await Promise.all([
      assignedEips(cluster.feed, name, signal),
      cluster.createService({ name, policy, ...balancer.reachable }, ready(backends)),
    ]);
    const result = await work(name, given.ips.map(parseIp), start, given.at);
    await cluster.deleteService(name);
    const isGone = (): true | undefined =>
      cluster.feed.list('Service').some((each) => textAt(each, 'metadata', 'name') === name)
        ? undefined
        : true;
    await waitFor(`${name} is gone`, isGone, signal);
    return result;
  };
  const repeat = async <T>(times: number, work: () => Promise<T>): Promise<readonly T[]> => {
    const results: T[] = [];
    for (let i = 0; i < times; i += 1) results.push(await work());
    return results;
  };

  const address = await repeat(rounds, () =>
    withService('Cluster', [], async (_name, _ips, start, at) => at - start),
  );
  const first = await repeat(rounds, () =>
    withService('Cluster', pods, async (_name, ips, start) => {
      await using load = clients.start({ to: ips, port: 80, every });
      const good = await Promise.all(
        ips.map((ip) => load.next(({ to, pod }) => to === ip && pod !== undefined, signal)),
      );
      return Math.max(...good.map(({ done }) => done)) - start;
    }),
  );
  let lostMoving = 0;
  const [, two] = pods;
  if (two === undefined) throw new Error('two pods are needed');
  const moved = await repeat(rounds, async () => {
    const old = await network.addPod(`old-${number}`, 'node1', signal);
    return await withService('Local', [old], async (name, ips) => {
      await proxy.settled();
      await using load = clients.start({ to: ips, port: 80, every });
      await answered(load, ips, signal);
      const start = now();
      const ends = async (): Promise<void> => {
        await cluster.setBackends(name, [
          { pod: old, state: 'terminating' },
          { pod: two, state: 'ready' },
        ]);
        await sleep(shutdown, undefined, { signal });
        await network.removePod(old.name, signal);
        await cluster.setBackends(name, ready([two]));
      };
      const [follows] = await Promise.all([onlyFrom(load, two.name, signal), ends()]);
      await proxy.settled();
      lostMoving += (await load.stop(start)).lost;
      return follows.done - start;
    });
  });
  const cut = await repeat(cuts, () =>
    withService('Local', pods, async (_name, ips) => {
      await proxy.settled();
      await using load = clients.start({ to: ips.filter((ip) => !ip.includes(':')), port: 80, every });
      const { pod } = await load.next((answer) => answer.pod !== undefined, signal);
      const victim = pods.find(({ name }) => name === pod)?.node ?? '';
      const start = now();
      await network.unplug(victim, signal);
      const last = await quiet(load, start, signal);
      await network.plug(victim, signal);
      await quiet(load, now(), signal);
      return last;
    }),
  );
  const startOfAll = now();
  const names = Array.from({ length: count }, (_, i) => `many-${i}`);
  for (let i = 0; i < names.length; i += 16) {
    await Promise.all(
      names
        .slice(i, i + 16)
        .map((name) => cluster.createService({ name, policy: 'Cluster', ...balancer.many }, [])),
    );
  }
  const given = (): true | undefined =>
    cluster.feed.list('Service').filter(hasAddress).length >= count ? true : undefined;
  await waitFor('all have an address', given, signal);
  const all = now() - startOfAll;
  /** The time from /readyz to the next address, after so many ms without an API. */
  const outage = async (ms: number): Promise<number> => {
    await cluster.stopApi();
    await sleep(ms, undefined, { signal });
    await cluster.startApi();
    const up = now();
    return await withService('Cluster', [], async (_name, _ips, _start, at) => at - up);
  };
  const restart = await outage(0);
  const away = await outage(longOutage);
  // What is held only for the events of the last seconds is no part of it.
  await sleep(5000, undefined, { signal });
  return { address, first, moved, lostMoving, cut, all, restart, away, ...(await balancer.memory()) };
}

function hasAddress(service: Parameters<typeof textAt>[0]): boolean {
  const [ingress] = listAt(service, 'status', 'loadBalancer', 'ingress');
  return textAt(ingress, 'ip') !== '';
}

async function answered(load: Load, ips: readonly Ip[], signal: AbortSignal): Promise<void> {
  for (const ip of ips) await load.next(({ to, pod }) => to === ip && pod !== undefined, signal);
}
