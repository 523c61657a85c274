import { readdirSync } from 'node:fs';
import type { Clock } from '../cluster/clock.ts';
import type { ProcessFigures, ReloadFigures } from '../metrics/family.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { State } from '../status/state.ts';
import type { Figures } from '../status/status.ts';
import type { Reply } from './socket.ts';

/** What monitoring is told of a daemon. */
export interface MonitoringSources {
  readonly metrics: Metrics;
  reload(): ReloadFigures;
  /** ms since the epoch */
  readonly started: number;
  /** Brings up to date what is only read when somebody asks. */
  look(): Promise<void>;
  figures(): Figures;
  /** `OK: 70 of 70 EIPs routed over 3 nodes` */
  sentence(): string;
  readable(): boolean;
  credentialsEnd(): number | undefined;
  leaseTransitions(): number | undefined;
  readonly clock: Pick<Clock, 'now' | 'time'>;
}

/**
 * The answers to `/metrics`, `/healthz` and `/readyz`.
 *
 * - `/healthz`: 503 while the kernel cannot be read; else 200. Whoever restarts a daemon by it restarts one that a
 *   restart might help.
 * - `/readyz`: 503 in the state NOT SYNCED; else 200. What is routed is forwarded also while DEGRADED and FROZEN: a
 *   check that takes traffic away must not take it from all gateways because one Service is in conflict.
 */
export function monitoring(sources: MonitoringSources): ReadonlyMap<string, () => Promise<Reply>> {
  const { metrics, started } = sources;
  const health = async (isWell: (state: State) => boolean): Promise<Reply> => {
    await sources.look();
    return plain(isWell(sources.figures().state) ? 200 : 503, `${sources.sentence()}\n`);
  };
  return new Map([
    [
      '/metrics',
      async () => {
        await sources.look();
        const body = await metrics.text({
          figures: sources.figures(),
          tally: metrics.tally,
          reload: sources.reload(),
          credentialsEnd: sources.credentialsEnd(),
          leaseTransitions: sources.leaseTransitions(),
          process: processFigures(started),
          clockSet: sources.clock.time() - sources.clock.now(),
        });
        return { status: 200, type: metrics.type, body };
      },
    ],
    ['/healthz', () => health(() => sources.readable())],
    ['/readyz', () => health((state) => state !== 'NOT SYNCED')],
  ]);
}

function plain(status: number, body: string): Reply {
  return { status, type: 'text/plain; charset=utf-8', body };
}

function processFigures(started: number): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuSeconds: (user + system) / 1e6,
    activeSeconds: performance.eventLoopUtilization().active / 1000,
    residentBytes: process.memoryUsage.rss(),
    heapBytes: process.memoryUsage().heapUsed,
    openFiles: readdirSync('/proc/self/fd').length,
    started,
  };
}
