import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import type { Report } from '../reconcile/report.ts';
import { buckets, families, histograms } from './families.ts';
import type { Family, MetricSources } from './family.ts';
import { Tally } from './tally.ts';

/** The metrics of one process. What they show is read when they are asked for; a round costs two sums. */
export class Metrics {
  readonly tally = new Tally();
  readonly #registry = new Registry();
  readonly #round: Histogram<'dump'>;
  readonly #event: Histogram;
  #sources: MetricSources | undefined;

  constructor(role: Exclude<Family['of'], 'both'>) {
    for (const family of families) if (family.of === 'both' || family.of === role) this.#register(family);
    const [round, event] = histograms;
    const registers = [this.#registry];
    this.#round = new Histogram({ ...settings(round), registers });
    this.#event = new Histogram({ ...settings(event), registers });
  }

  /**
   * Counts a round that could read the kernel.
   *
   * @param sinceEvent ms from the first event that it was for to its end; undefined: it was for no event of the cluster
   */
  rounded(
    report: Pick<Report, 'done' | 'repaired' | 'duration' | 'dumped'>,
    sinceEvent: number | undefined,
  ): void {
    this.tally.rounded(report);
    this.#round.observe({ dump: report.dumped ? 'yes' : 'no' }, report.duration / 1000);
    if (sinceEvent !== undefined && report.done.length > 0) this.#event.observe(sinceEvent / 1000);
  }

  get type(): string {
    return this.#registry.contentType;
  }

  /** In the text format of Prometheus. */
  text(sources: MetricSources): Promise<string> {
    // prom-client asks all metrics for their values before it waits for anything.
    this.#sources = sources;
    const text = this.#registry.metrics();
    this.#sources = undefined;
    return text;
  }

  #register({ name, help, labels, type, read }: Family): void {
    const options = { name, help, labelNames: [...labels], registers: [this.#registry] };
    const fill = (metric: Gauge | Counter): void => {
      metric.reset();
      // Without labels a reset says 0, and what is not known has to be absent.
      if (labels.length === 0) metric.remove();
      if (this.#sources === undefined) return;
      for (const [of, value] of read(this.#sources)) metric.inc({ ...of }, value);
    };
    if (type === 'gauge') {
      const gauge: Gauge = new Gauge({ ...options, collect: () => fill(gauge) });
    } else {
      const counter: Counter = new Counter({ ...options, collect: () => fill(counter) });
    }
  }
}

function settings<T extends (typeof histograms)[number]>({ name, help, labels }: T) {
  return { name, help, labelNames: [...labels], buckets: [...buckets] };
}
