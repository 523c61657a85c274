import type { Path } from '../desire/path.ts';
import type { FormerPath, PathHistory } from '../desire/path-history.ts';
import type { AssignmentChange } from '../ipam/controller.ts';
import type { EventName } from '../journal/event.ts';
import type { Facts } from '../journal/facts.ts';
import type { Log, LogLevel } from '../log.ts';
import type { Feed, Overview } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import { changeObject, keyOf } from '../model/object.ts';
import type { KernelUnreadable } from '../reconcile/loop.ts';
import type { PlannedChange, Report } from '../reconcile/report.ts';
import { eipOf, type Finding, findings } from './findings.ts';
import { Repeats } from './repeats.ts';

/** So many things of a kind get a line of their own in one round; more are told as a number. */
const told = 20;

/**
 * Writes what rounds did and found. Whatever stands from one round to the next is told when it begins and when
 * it ends, not in between; what happens again and again is told once in a minute, with how often.
 */
export class Journal {
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #repeats = new Repeats<Told>();
  readonly #standing = new Map<string, Facts>();
  readonly #troubles = new Map<string, string>();
  #complete: boolean;
  #isUnreadable = false;

  /**
   * @param clock ms since the epoch
   * @param lists whether there is a cluster whose lists have to come in
   */
  constructor(
    log: Log,
    clock: () => number = Date.now,
    lists: 'lists to come' | 'no lists' = 'lists to come',
  ) {
    this.#complete = lists === 'no lists';
    this.#log = log;
    this.#clock = clock;
  }

  /** @param history where the EIPs of a gateway went before and go now; asked only when the round did something */
  round(report: Report, names: LinkNames, history: () => PathHistory | undefined = () => undefined): void {
    if (this.#isUnreadable) this.#tell('info', 'kernel-readable', {}, 'the kernel can be read again');
    this.#isUnreadable = false;
    if (report.done.length > 0) this.#done(report, names, history());
    else
      this.#log.debug({ round: report.round, why: report.reasons.map(({ text }) => text) }, 'nothing to do');
    if (report.complete && !this.#complete)
      this.#tell('info', 'lists-complete', { routes: report.wanted.route }, 'all lists are in');
    this.#complete = report.complete;
    this.#stand(findings(report, names));
    this.#recall();
  }

  /** Addresses that Services were given, or lost. */
  assignments(changes: readonly AssignmentChange[]): void {
    for (const { service, ips, pool } of changes.slice(0, told)) {
      if (ips.length === 0) this.#tell('info', 'eip-taken-back', { service }, 'EIP taken back');
      else this.#tell('info', 'eip-assigned', { service, eip: ips, pool }, 'EIP assigned');
    }
    const more = changes.length - told;
    if (more > 0) this.#tell('info', 'eips-assigned', { more }, 'further EIPs assigned');
  }

  kernelUnreadable({ error, failures, retryIn }: KernelUnreadable): void {
    this.#isUnreadable = true;
    this.#again({
      level: 'error',
      event: 'kernel-unreadable',
      facts: { code: error.code, error: error.message, failures, retryInMs: Math.round(retryIn) },
      words: 'cannot read the kernel; routes stay as they are',
      key: `kernel-unreadable ${error.code}`,
    });
    this.#recall();
  }

  /** Tells when a feed goes silent or is back; what is in the kernel stays meanwhile. */
  feeds({ feeds }: Pick<Overview, 'feeds'>): void {
    for (const feed of feeds) {
      const before = this.#troubles.get(feed.resource);
      if (feed.trouble === before) continue;
      if (feed.trouble === undefined) {
        this.#troubles.delete(feed.resource);
        this.#tell('info', 'cluster-back', { resource: feed.resource }, 'the cluster answers again');
      } else {
        this.#troubles.set(feed.resource, feed.trouble);
        this.#tell(
          'warn',
          'cluster-silent',
          { resource: feed.resource, trouble: feed.trouble, lastHeard: heard(feed) },
          'the cluster does not answer; routes stay as they are',
        );
      }
    }
  }

  #done(report: Report, names: LinkNames, history: PathHistory | undefined): void {
    const routes = new Map<Ip, PlannedChange>();
    for (const due of report.done) {
      const eip = eipOf(changeObject(due.change));
      if (eip !== undefined) routes.set(eip, due);
    }
    // A group that is replaced in place moves EIPs without touching a route of theirs.
    const moved = history?.moved(told, (eip) => !routes.has(eip)) ?? { first: [], count: 0 };
    let lines = 0;
    for (const [eip, due] of routes) if (++lines <= told) this.#eip(eip, due, report, names, history);
    for (const path of moved.first) if (++lines <= told) this.#moved(path, history?.before(path.eip));
    const changed = routes.size + moved.count;
    if (changed > told) this.#tell('info', 'eips-changed', { more: changed - told }, 'more EIPs changed');

    lines = 0;
    for (const { change } of report.done) {
      const object = changeObject(change);
      if (!report.repaired.has(keyOf(object)) || eipOf(object) !== undefined || ++lines > told) continue;
      this.#again({
        level: 'warn',
        event: 'object-repaired',
        facts: { object: `${object.kind} ${describe(object, names)}` },
        words: 'repaired',
        key: keyOf(object),
      });
    }
    this.#tell(
      'info',
      'round',
      {
        round: report.round,
        why: [...new Set(report.reasons.map(({ text }) => text))].slice(0, 3),
        done: report.done.length,
        eips: changed,
        repaired: report.repaired.size,
        ms: Math.round(report.duration * 10) / 10,
      },
      'round',
    );
  }

  #eip(
    eip: Ip,
    { change, why }: PlannedChange,
    report: Report,
    names: LinkNames,
    history: PathHistory | undefined,
  ): void {
    const object = changeObject(change);
    const path = history?.now(eip);
    const before = history?.before(eip);
    const facts = {
      eip,
      service: path?.services ?? why.services,
      node: path && nodesOf(path.carriers),
      route: describe(object, names),
    };
    if (change.verb === 'delete') {
      this.#tell(
        'info',
        'eip-withdrawn',
        { eip, service: before?.services, route: facts.route },
        'EIP withdrawn',
      );
    } else if (report.repaired.has(keyOf(object))) {
      this.#again({
        level: 'warn',
        event: 'eip-repaired',
        facts,
        words: 'EIP repaired',
        key: keyOf(object),
      });
    } else if (change.verb === 'add') this.#tell('info', 'eip-routed', facts, 'EIP routed');
    else this.#tell('info', 'eip-moved', { ...facts, from: nodesOf(before?.carriers) }, 'EIP moved');
  }

  #moved({ eip, services, carriers }: Path, before: FormerPath | undefined): void {
    const facts = { eip, service: services, node: nodesOf(carriers), from: nodesOf(before?.carriers) };
    this.#tell('info', 'eip-moved', facts, 'EIP moved');
  }

  /** By the key alone: a fight, a refusal or a hold has other facts in every round, and is told once. */
  #stand(now: ReadonlyMap<string, Finding>): void {
    const fresh = new Map<string, Finding[]>();
    for (const [key, finding] of now) {
      if (this.#standing.has(key)) continue;
      this.#standing.set(key, finding.facts);
      const like = fresh.get(finding.code);
      if (like) like.push(finding);
      else fresh.set(finding.code, [finding]);
    }
    for (const [code, found] of fresh) {
      for (const { level, event, facts, words } of found.slice(0, told))
        this.#tell(level, event, facts, words);
      const [first] = found;
      const more = found.length - told;
      if (first && more > 0) this.#tell(first.level, 'more-findings', { code, more }, 'and more of the same');
    }
    const solved = [...this.#standing].filter(([key]) => !now.has(key));
    for (const [key] of solved) this.#standing.delete(key);
    for (const [key, { eip, service, node }] of solved.slice(0, told)) {
      this.#tell('info', 'solved', { was: key, eip, service, node }, 'solved');
    }
    const more = solved.length - told;
    if (more > 0) this.#tell('info', 'more-solved', { more }, 'and more solved');
  }

  #again(one: Told): void {
    if (this.#repeats.first(one.key, one, this.#clock()))
      this.#tell(one.level, one.event, one.facts, one.words);
  }

  /** What was kept back, as far as its time is over. */
  #recall(): void {
    for (const { last, times, seconds } of this.#repeats.over(this.#clock())) {
      this.#tell(last.level, last.event, { ...last.facts, times, seconds }, last.words);
    }
  }

  #tell(level: LogLevel, event: EventName, facts: Facts, words: string): void {
    this.#log[level]({ event, ...facts }, words);
  }
}

/** A record that may come again; the same when the key is. */
interface Told extends Omit<Finding, 'code'> {
  readonly key: string;
}

/** Equal for the same nodes. */
function nodesOf(carriers: Path['carriers'] = []): readonly string[] {
  return carriers.map(({ node }) => node);
}

function heard({ heard: at }: Feed): string {
  return at === undefined ? 'never' : new Date(at).toISOString();
}
