import type { Path } from '../desire/path.ts';
import type { EventName } from '../journal/event.ts';
import type { Facts } from '../journal/facts.ts';
import type { Log, LogLevel } from '../log.ts';
import type { Feed, Snapshot } from '../model/cluster.ts';
import { type Ip, onlyIp } from '../model/ip.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import { changeObject, type KernelObject, keyOf, type Route } from '../model/object.ts';
import { type Problem, problemKey } from '../model/problem.ts';
import type { Blind } from '../reconcile/loop.ts';
import type { Due, Report } from '../reconcile/report.ts';
import { Repeats } from './repeats.ts';

/** So many objects get a line of their own in one round; more are told as a number. */
const told = 20;

/**
 * Writes what rounds did and found. Whatever stands from one round to the next is told when it begins and when
 * it ends, not in between; what happens again and again is told once in a minute, with how often.
 */
export class Journal {
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #repeats = new Repeats<Told>();
  #standing = new Map<string, Standing>();
  #troubles = new Map<string, string>();
  #paths: ReadonlyMap<Ip, Path> = new Map();
  #complete = false;
  #blind = false;

  /** @param clock ms since the epoch */
  constructor(log: Log, clock: () => number) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param paths those that the round was about; asked only when it did something */
  round(report: Report, names: LinkNames, paths: () => readonly Path[]): void {
    if (this.#blind) this.#tell('info', 'kernel-readable', {}, 'the kernel can be read again');
    this.#blind = false;
    if (report.done.length > 0) this.#done(report, names, paths());
    else
      this.#log.debug({ round: report.round, why: report.reasons.map(({ text }) => text) }, 'nothing to do');
    if (report.complete && !this.#complete)
      this.#tell('info', 'lists-complete', { routes: report.wanted.route }, 'all lists are in');
    this.#complete = report.complete;
    this.#stand(findings(report, names));
    this.#recall();
  }

  blind({ error, failures, retryIn }: Blind): void {
    this.#blind = true;
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
  feeds({ feeds }: Snapshot): void {
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

  #done(report: Report, names: LinkNames, paths: readonly Path[]): void {
    const now = new Map(paths.map((path) => [path.eip, path]));
    const routes = new Map<Ip, Due>();
    for (const due of report.done) {
      const eip = eipOf(changeObject(due.change));
      if (eip !== undefined) routes.set(eip, due);
    }
    // A group that is replaced in place moves EIPs without touching a route of theirs.
    const moved = paths.filter(({ eip, carriers }) => {
      const before = this.#paths.get(eip);
      return before !== undefined && !routes.has(eip) && nodesOf(before) !== nodesOf({ carriers });
    });
    let lines = 0;
    for (const [eip, due] of routes) if (++lines <= told) this.#eip(eip, due, report, names, now.get(eip));
    for (const path of moved) if (++lines <= told) this.#moved(path);
    if (lines > told) this.#tell('info', 'eips-changed', { more: lines - told }, 'more EIPs changed');
    this.#paths = now;

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
        eips: routes.size + moved.length,
        repaired: report.repaired.size,
        ms: Math.round(report.duration * 10) / 10,
      },
      'round',
    );
  }

  #eip(eip: Ip, { change, why }: Due, report: Report, names: LinkNames, path: Path | undefined): void {
    const object = changeObject(change);
    const facts = {
      eip,
      service: path?.services ?? why.services,
      node: path?.carriers.map(({ node }) => node),
      route: describe(object, names),
    };
    if (change.verb === 'delete') {
      const before = this.#paths.get(eip);
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
    else this.#tell('info', 'eip-moved', { ...facts, from: this.#before(eip) }, 'EIP moved');
  }

  #moved({ eip, services, carriers }: Path): void {
    const node = carriers.map((carrier) => carrier.node);
    this.#tell('info', 'eip-moved', { eip, service: services, node, from: this.#before(eip) }, 'EIP moved');
  }

  #before(eip: Ip): readonly string[] {
    return this.#paths.get(eip)?.carriers.map(({ node }) => node) ?? [];
  }

  #stand(now: ReadonlyMap<string, Finding>): void {
    for (const [key, { level, event, facts, words }] of now) {
      const text = JSON.stringify(facts);
      if (this.#standing.get(key)?.text === text) continue;
      this.#standing.set(key, { text, facts });
      this.#tell(level, event, facts, words);
    }
    for (const [key, { facts }] of [...this.#standing]) {
      if (now.has(key)) continue;
      this.#standing.delete(key);
      const { eip, service, node } = facts;
      this.#tell('info', 'solved', { was: key, eip, service, node }, 'solved');
    }
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
interface Told extends Finding {
  readonly key: string;
}

interface Standing {
  readonly text: string;
  readonly facts: Facts;
}

/** Something that stands until a round does not find it any more. */
interface Finding {
  readonly level: 'warn' | 'error';
  readonly event: EventName;
  readonly facts: Facts;
  readonly words: string;
}

function findings(report: Report, names: LinkNames): ReadonlyMap<string, Finding> {
  const found = new Map<string, Finding>();
  for (const problem of report.problems) {
    found.set(problemKey(problem), {
      level: problem.severity,
      event: 'problem',
      facts: factsOf(problem),
      words: problem.message,
    });
  }
  for (const { change, why, code, message } of report.failed) {
    const object = changeObject(change);
    found.set(`refused ${keyOf(object)}`, {
      level: 'error',
      event: 'refused',
      facts: {
        eip: eipOf(object),
        object: `${object.kind} ${describe(object, names)}`,
        for: why.text,
        code,
        error: message,
      },
      words: 'refused by the kernel; it is tried again',
    });
  }
  for (const { want, why, holder } of report.conflicts) {
    found.set(`conflict ${keyOf(want)}`, {
      level: 'error',
      event: 'conflict',
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
      event: 'held',
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

function factsOf({ code, subject, message, advice, eip, service, node }: Problem): Facts {
  return { code, subject, problem: message, advice, eip, service, node };
}

/** Equal for the same nodes. */
function nodesOf({ carriers }: Pick<Path, 'carriers'>): string {
  return carriers.map(({ node }) => node).join(' ');
}

/** The EIP that a route leads to nodes; undefined for what is no EIP's route. */
function eipOf(object: KernelObject): Ip | undefined {
  return object.kind === 'route' && isEip(object) ? onlyIp(object.dst) : undefined;
}

function isEip({ nhid }: Route): boolean {
  return nhid !== undefined;
}

function heard({ heard: at }: Feed): string {
  return at === undefined ? 'never' : new Date(at).toISOString();
}
