import type { Deed } from '../ipam/controller.ts';
import type { Log } from '../log.ts';
import type { Feed, Snapshot } from '../model/cluster.ts';
import { onlyIp } from '../model/ip.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import { changeObject, type KernelObject, keyOf, type Route } from '../model/object.ts';
import { type Problem, problemKey } from '../model/problem.ts';
import type { Blind } from '../reconcile/loop.ts';
import type { Due, Report } from '../reconcile/report.ts';

/** So many things of a kind get a line of their own in one round; more are told as a number. */
const told = 20;

/**
 * Writes what rounds did and found. Whatever stands from one round to the next is told when it begins and when
 * it ends, not in between.
 */
export class Journal {
  readonly #log: Log;
  readonly #standing = new Set<string>();
  readonly #troubles = new Map<string, string>();
  #complete = false;

  constructor(log: Log) {
    this.#log = log;
  }

  round(report: Report, names: LinkNames): void {
    const routes = report.done.filter(({ change }) => eipOf(changeObject(change)) !== undefined);
    for (const due of routes.slice(0, told)) this.#eip(due, report, names);
    const repaired = report.done
      .map(({ change }) => changeObject(change))
      .filter((object) => report.repaired.has(keyOf(object)) && eipOf(object) === undefined);
    for (const object of repaired.slice(0, told)) {
      this.#log.warn({ object: `${object.kind} ${describe(object, names)}` }, 'repaired');
    }
    if (report.done.length > 0) {
      this.#log.info(
        {
          round: report.round,
          why: [...new Set(report.reasons.map(({ text }) => text))].slice(0, 3),
          done: report.done.length,
          eips: routes.length,
          repaired: report.repaired.size,
          ms: Math.round(report.duration * 10) / 10,
        },
        'round',
      );
    } else {
      this.#log.debug({ round: report.round, why: report.reasons.map(({ text }) => text) }, 'nothing to do');
    }
    if (report.complete && !this.#complete)
      this.#log.info({ routes: report.wanted.route }, 'all lists are in');
    this.#complete = report.complete;
    this.#stand(findings(report, names));
  }

  /** Addresses that Services were given, or lost. */
  deeds(deeds: readonly Deed[]): void {
    for (const { service, ips, pool } of deeds.slice(0, told)) {
      if (ips.length === 0) this.#log.info({ service }, 'EIP taken back');
      else this.#log.info({ service, eip: ips.join(', '), pool }, 'EIP assigned');
    }
    if (deeds.length > told) this.#log.info({ more: deeds.length - told }, 'further EIPs assigned');
  }

  blind({ error, failures, retryIn }: Blind): void {
    this.#log.error(
      { code: error.code, error: error.message, failures, retryInMs: Math.round(retryIn) },
      'cannot read the kernel; routes stay as they are',
    );
  }

  /** Tells when a feed goes silent or is back; what is in the kernel stays meanwhile. */
  feeds({ feeds }: Snapshot): void {
    for (const feed of feeds) {
      const before = this.#troubles.get(feed.resource);
      if (feed.trouble === before) continue;
      if (feed.trouble === undefined) {
        this.#troubles.delete(feed.resource);
        this.#log.info({ resource: feed.resource }, 'the cluster answers again');
      } else {
        this.#troubles.set(feed.resource, feed.trouble);
        this.#log.warn(
          { resource: feed.resource, trouble: feed.trouble, lastHeard: heard(feed) },
          'the cluster does not answer; routes stay as they are',
        );
      }
    }
  }

  #eip({ change, why }: Due, report: Report, names: LinkNames): void {
    const object = changeObject(change);
    const facts = {
      eip: eipOf(object),
      service: why.services?.join(', '),
      route: describe(object, names),
    };
    if (change.verb === 'delete') this.#log.info(facts, 'EIP withdrawn');
    else if (report.repaired.has(keyOf(object))) this.#log.warn(facts, 'EIP repaired');
    else this.#log.info(facts, change.verb === 'add' ? 'EIP routed' : 'EIP moved');
  }

  #stand(now: ReadonlyMap<string, Finding>): void {
    const fresh = new Map<string, Finding[]>();
    for (const [key, finding] of now) {
      if (this.#standing.has(key)) continue;
      this.#standing.add(key);
      const like = fresh.get(finding.code);
      if (like) like.push(finding);
      else fresh.set(finding.code, [finding]);
    }
    for (const [code, found] of fresh) {
      for (const { level, facts, words } of found.slice(0, told)) this.#log[level](facts, words);
      const [first] = found;
      if (first && found.length > told)
        this.#log[first.level]({ code, more: found.length - told }, 'and more of the same');
    }
    const solved = [...this.#standing].filter((key) => !now.has(key));
    for (const key of solved) this.#standing.delete(key);
    for (const key of solved.slice(0, told)) this.#log.info({ was: key }, 'solved');
    if (solved.length > told) this.#log.info({ more: solved.length - told }, 'and more solved');
  }
}

/** Something that stands until a round does not find it any more. */
interface Finding {
  /** Those with the same code are folded together. */
  readonly code: string;
  readonly level: 'warn' | 'error';
  readonly facts: object;
  readonly words: string;
}

function findings(report: Report, names: LinkNames): ReadonlyMap<string, Finding> {
  const found = new Map<string, Finding>();
  for (const problem of report.problems) {
    found.set(problemKey(problem), {
      code: problem.code,
      level: problem.severity,
      facts: factsOf(problem),
      words: problem.message,
    });
  }
  for (const { change, why, code, message } of report.failed) {
    const object = changeObject(change);
    found.set(`refused ${keyOf(object)}`, {
      code: 'refused',
      level: 'error',
      facts: { object: `${object.kind} ${describe(object, names)}`, for: why.text, code, error: message },
      words: 'refused by the kernel; it is tried again',
    });
  }
  for (const { want, why, holder } of report.conflicts) {
    found.set(`conflict ${keyOf(want)}`, {
      code: 'conflict',
      level: 'error',
      facts: {
        eip: eipOf(want),
        for: why.text,
        object: `${want.kind} ${describe(want, names)}`,
        holder: holder ? describe(holder, names) : 'gone again',
      },
      words: 'conflict: somebody else holds this; it is never overwritten: delete it, and ours follows',
    });
  }
  const held = report.held.filter(({ reason }) => reason === 'too many at once');
  const [first] = held;
  if (first) {
    found.set('held', {
      code: 'held',
      level: 'error',
      facts: {
        held: held.length,
        first: describe(changeObject(first.change), names),
        until: new Date(first.until ?? 0).toISOString(),
      },
      words: 'too much would vanish at once: held; "eiproute release" lets it go on',
    });
  }
  return found;
}

function factsOf({ code, subject, advice, eip, service, node }: Problem): object {
  return { code, subject, advice, eip, service, node };
}

/** The EIP that a route leads to nodes; undefined for what is no EIP's route. */
function eipOf(object: KernelObject): string | undefined {
  return object.kind === 'route' && isEip(object) ? onlyIp(object.dst) : undefined;
}

function isEip({ nhid }: Route): boolean {
  return nhid !== undefined;
}

function heard({ heard: at }: Feed): string {
  return at === undefined ? 'never' : new Date(at).toISOString();
}
