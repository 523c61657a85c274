import { GrowingDelta, mergeDelta } from '../cluster/delta.ts';
import { Signal } from '../cluster/signal.ts';
import type { Delta } from '../model/cluster.ts';
import { Rests } from '../probe/rests.ts';
import { isDoubted, type LastReport, lastOf, type Report } from '../reconcile/report.ts';
import type { GatewayClusters } from './gateway-clusters.ts';

/**
 * ms between two writes of what was applied: the first change is written at once, and those of a burst share the next write. To
 * hand a write to a thread takes a sixth of the time of an event.
 */
const saveRest = 10;

/**
 * The changes of the cluster on their way through a round: those that wait for one, those that the present one acts on,
 * and those whose consequences are in the kernel.
 */
export class ClusterChanges {
  /** What was applied. */
  readonly #applied = new Signal<Delta, GrowingDelta>(mergeDelta);
  /** The first round with all lists is over. */
  readonly listed = new Signal(() => {});
  #waiting = new GrowingDelta();
  /** The present round acts on them. */
  #taken = new GrowingDelta();
  /** The clusters whose lists the present round sees. */
  #seen: ReadonlySet<string | undefined> = new Set();
  /** Those that the last round has seen. */
  #judged = this.#seen;
  /** Of the last round. */
  #report: LastReport | undefined;

  /** Whether the last round has seen the lists of a cluster, and doubts nothing. */
  believed(name: string | undefined): boolean {
    return this.#judged.has(name) && !isDoubted(this.#report);
  }

  /** They wait for the next round. */
  add(delta: Delta): void {
    this.#waiting.merge(delta);
  }

  /**
   * A pass of the present round reads what waits.
   *
   * @param listed the clusters whose lists are in
   */
  take(listed: ReadonlySet<string | undefined>): Delta {
    const delta = this.#waiting;
    this.#waiting = new GrowingDelta();
    this.#seen = listed;
    this.#taken.merge(delta);
    return delta;
  }

  /** The present round is over. */
  rounded(report: Report): void {
    if (report.complete && !this.#report?.complete) this.listed.notify();
    this.#report = lastOf(report);
    this.#judged = this.#seen;
    if (report.done.length > 0) this.#applied.notify(this.#taken);
    this.#taken = new GrowingDelta();
  }

  /**
   * Adds what was applied to the last known state on the disk: it must not be undone by a start after a crash, before the lists
   * are in or with the API down.
   */
  async saveApplied(clusters: Pick<GatewayClusters, 'save'>, signal: AbortSignal): Promise<void> {
    const rests = new Rests(signal);
    for await (const delta of this.#applied.listen(signal)) {
      await clusters.save(delta);
      await rests.take(saveRest);
    }
  }
}
