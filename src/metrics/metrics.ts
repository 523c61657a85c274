import { setImmediate as turn } from 'node:timers/promises';
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import Histogram from 'prom-client/lib/histogram.js';
import Registry from 'prom-client/lib/registry.js';
import type { Report } from '../reconcile/report.ts';
import { buckets, families, histograms } from './families.ts';
import type { Family, MetricSources, Sample } from './family.ts';
import { Tally } from './tally.ts';

/** ms for which an answer may keep the event loop from events, before it lets these go first */
const longestTurn = 0.5;

/**
 * The metrics of one process. What they show is read when they are asked for; a round costs two sums. The text of a
 * family is written when its samples are others than in the last answer: of 400 series at 100 nodes a dozen are.
 */
export class Metrics {
  readonly tally = new Tally();
  readonly #registry = new Registry();
  readonly #written: readonly Written[];
  readonly #round: Histogram<'dump'>;
  readonly #event: Histogram;

  constructor(role: Exclude<Family['of'], 'both'>) {
    const registers = [this.#registry];
    this.#written = families
      .filter((family) => family.of === 'both' || family.of === role)
      .map((family) => ({ family, metric: metricOf(family, registers), samples: undefined, text: '' }));
    const [round, event] = histograms;
    this.#round = new Histogram({ ...settings(round), registers });
    // A rate needs a sample from before the first event.
    for (const dump of ['yes', 'no']) this.#round.zero({ dump });
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
  async text(sources: MetricSources): Promise<string> {
    const texts: string[] = [];
    let turnBegan = performance.now();
    for (const written of this.#written) {
      texts.push(await this.#textOf(written, sources));
      if (performance.now() - turnBegan < longestTurn) continue;
      await turn();
      turnBegan = performance.now();
    }
    for (const { name } of histograms) texts.push(await this.#registry.getSingleMetricAsString(name));
    return `${texts.join('\n\n')}\n`;
  }

  /** Answers may overlap: the text is that of these sources all the same, and what is kept belongs together. */
  async #textOf(written: Written, sources: MetricSources): Promise<string> {
    const { family, metric } = written;
    const samples = [...family.read(sources)];
    if (written.samples !== undefined && areSame(written.samples, samples)) return written.text;
    metric.reset();
    // Without labels a reset says 0, and what is not known has to be absent.
    if (family.labels.length === 0) metric.remove();
    for (const [of, value] of samples) metric.inc({ ...of }, value);
    // The values are taken before this waits for anything.
    const text = await this.#registry.getSingleMetricAsString(family.name);
    written.samples = samples;
    written.text = text;
    return text;
  }
}

/** A family, and its part of the last answer. */
interface Written {
  readonly family: Family;
  readonly metric: Gauge | Counter;
  samples: readonly Sample[] | undefined;
  text: string;
}

function metricOf({ name, help, labels, type }: Family, registers: Registry[]): Gauge | Counter {
  const options = { name, help, labelNames: [...labels], registers };
  return type === 'gauge' ? new Gauge(options) : new Counter(options);
}

function areSame(before: readonly Sample[], now: readonly Sample[]): boolean {
  return (
    before.length === now.length &&
    now.every(([labels, value], i) => {
      const [known, last] = before[i] ?? [];
      return known !== undefined && last === value && isSameText(known, labels);
    })
  );
}

/** A family's samples all have the same labels. */
function isSameText(a: Sample[0], b: Sample[0]): boolean {
  for (const name in b) if (a[name] !== b[name]) return false;
  return true;
}

function settings<T extends (typeof histograms)[number]>({ name, help, labels }: T) {
  return { name, help, labelNames: [...labels], buckets: [...buckets] };
}
