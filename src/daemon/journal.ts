import type { Log } from '../log.ts';
import type { Feed, Snapshot } from '../model/cluster.ts';
import { onlyIp } from '../model/ip.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import { changeObject, type KernelObject, keyOf, type Route } from '../model/object.ts';
import { type Problem, problemKey } from '../model/problem.ts';
import type { Blind } from '../reconcile/loop.ts';
import type { Due, Report } from '../reconcile/report.ts';

/** So many EIPs get a line of their own in one round; more are told as a number. */
const told = 20;

/**
 * Writes what rounds did and found. Whatever stands from one round to the next is told when it begins and when
 * it ends, not in between.
 */
export class Journal {
  readonly #log: Log;
  #standing = new Map<string, string>();
  #troubles = new Map<string, string>();
  #complete = false;

  constructor(log: Log) {
    this.#log = log;
  }

  round(report: Report, names: LinkNames): void {
    const routes = report.done.filter(({ change }) => eipOf(changeObject(change)) !== undefined);
    for (const due of routes.slice(0, told)) this.#eip(due, report, names);
    for (const { change } of report.done) {
      const object = changeObject(change);
      if (!report.repaired.has(keyOf(object)) || eipOf(object) !== undefined) continue;
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
    for (const [key, { level, facts, words }] of now) {
      const text = JSON.stringify(facts);
      if (this.#standing.get(key) === text) continue;
      this.#standing.set(key, text);
      this.#log[level](facts, words);
    }
    for (const key of [...this.#standing.keys()]) {
      if (now.has(key)) continue;
      this.#standing.delete(key);
      this.#log.info({ was: key }, 'solved');
    }
  }
}

/** Something that stands until a round does not find it any more. */
interface Finding {
  readonly level: 'warn' | 'error';
  readonly facts: object;
  readonly words: string;
}

function findings(report: Report, names: LinkNames): ReadonlyMap<string, Finding> {
  const found = new Map<string, Finding>();
  for (const problem of report.problems) {
    found.set(problemKey(problem), {
      level: problem.severity,
      facts: factsOf(problem),
      words: problem.message,
    });
  }
  for (const { change, why, code, message } of report.failed) {
    const object = changeObject(change);
    found.set(`refused ${keyOf(object)}`, {
      level: 'error',
      facts: { object: `${object.kind} ${describe(object, names)}`, for: why.text, code, error: message },
      words: 'refused by the kernel; it is tried again',
    });
  }
  for (const { want, why, holder } of report.conflicts) {
    found.set(`conflict ${keyOf(want)}`, {
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
