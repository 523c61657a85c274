import type { Figures, GatewayFigures } from '../status/status.ts';
import type { Tally } from './tally.ts';

/** All that the metrics of a daemon are read from. */
export interface MetricSources {
  readonly figures: Figures;
  readonly tally: Pick<Tally, 'changes' | 'repairs'>;
  readonly reload: ReloadFigures;
  /** ms since the epoch when the credentials for the API end; undefined: they do not say */
  readonly credentialsEnd: number | undefined;
  /** How often the Lease went from one gateway to another; undefined: there is none. */
  readonly leaseTransitions: number | undefined;
  readonly process: ProcessFigures;
  /** ms by which the machine's clock was set since the start: the figures know nothing of it, Prometheus does */
  readonly clockSet: number;
}

/** The last reading of the configuration. */
export interface ReloadFigures {
  readonly refused: boolean;
  /** ms since the epoch, of the last one that was taken: the start is one */
  readonly taken: number;
}

export interface ProcessFigures {
  readonly cpuSeconds: number;
  /** Seconds in which the event loop worked. */
  readonly activeSeconds: number;
  readonly residentBytes: number;
  readonly heapBytes: number;
  readonly openFiles: number;
  /** ms since the epoch */
  readonly started: number;
}

/** A value with its labels. */
export type Sample = readonly [labels: Readonly<Record<string, string>>, value: number];

/** A metric that is read when somebody asks. */
export interface Family {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly labels: readonly string[];
  /** Whose it is. */
  readonly of: 'both' | 'gateway' | 'node';
  readonly read: (sources: MetricSources) => Iterable<Sample>;
}

/** A gateway's metric. */
export function ofGateway(
  type: Family['type'],
  name: string,
  help: string,
  labels: readonly string[],
  read: (figures: GatewayFigures, sources: MetricSources) => Iterable<Sample>,
): Family {
  return {
    name,
    type,
    help,
    labels,
    of: 'gateway',
    read: (sources) => {
      const { gateway } = sources.figures;
      return gateway === undefined ? [] : read(gateway, sources);
    },
  };
}

/** One value without labels; none where it is not known. */
export function one(value: number | boolean | undefined): readonly Sample[] {
  return value === undefined ? [] : [[{}, Number(value)]];
}

/** Prometheus counts time in seconds. */
export function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}
