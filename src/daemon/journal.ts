import type { Path } from '../desire/path.ts';
import type { PathHistory } from '../desire/path-history.ts';
import type { Verdict } from '../desire/verdict.ts';
import type { AssignmentChange } from '../ipam/controller.ts';
import type { EventName } from '../journal/event.ts';
import type { Facts } from '../journal/facts.ts';
import type { Log, LogLevel } from '../log.ts';
import { type Feed, type Overview, qualified } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import { changeObject, keyOf } from '../model/object.ts';
import { isDelete } from '../reconcile/diff.ts';
import type { KernelUnreadable } from '../reconcile/loop.ts';
import type { PlannedChange, Report } from '../reconcile/report.ts';
import { eipOf } from '../status/need.ts';
import type { Health, State } from '../status/state.ts';
import type { AnnounceStatus } from '../status/status.ts';
import { destination, leavers, move } from './journal-nodes.ts';
import { type JournalProblem, journalProblems, ProblemRecords } from './journal-problems.ts';
import { NodeDrains } from './node-drains.ts';
import { OpenProblems } from './open-problems.ts';
import { RecordLimit } from './record-limit.ts';
import { Repeats } from './repeats.ts';

/** Records of one kind per round; the rest is counted in one record. */
const mostLines = 20;

/**
 * Writes the journal records of rounds. A problem is reported when it appears and when it is solved. A repeated event
 * is reported once, and then once a minute with its number. In a storm of rounds the records of a kind are bounded over
 * time, and one says how many more there were.
 */
export class Journal {
  readonly #log: Log;
  readonly #clock: () => number;
  readonly #repeats = new Repeats<RepeatedRecord>();
  readonly #limit = new RecordLimit();
  readonly #openProblems = new OpenProblems();
  readonly #records = new ProblemRecords();
  /** The lists of the report that they were compared with last. */
  #compared: readonly (readonly unknown[])[] = [];
  readonly #troubles = new Map<string, string>();
  readonly #drains = new NodeDrains();
  #complete: boolean;
  #state: State | undefined;
  #isUnreadable = false;

  /**
   * @param clock ms since the epoch
   * @param lists whether the daemon waits for lists of a cluster
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

  /**
   * @param history former and present paths of the EIPs; called only when the round changed something
   * @param leaving the nodes that an EIP leaves and that keep its flows
   */
  round(
    report: Report,
    names: LinkNames,
    history: () => PathHistory | undefined = () => undefined,
    leaving: (path: Path) => readonly string[] = () => [],
  ): void {
    if (this.#isUnreadable) this.#write('info', 'kernel-readable', {}, 'the kernel can be read again');
    this.#isUnreadable = false;
    if (report.done.length > 0) this.#done(report, { names, leaving, history: history() });
    else
      this.#log.debug({ round: report.round, why: report.reasons.map(({ text }) => text) }, 'nothing to do');
    if (report.complete && !this.#complete)
      this.#write('info', 'lists-complete', { routes: report.wanted.route }, 'all lists are in');
    this.#complete = report.complete;
    this.#reportProblems(report, names);
    this.#writeRepeats();
    this.#writeLeftOut(this.#clock());
  }

  /** Reports that the state is another one than before. */
  state({ state, summary }: Pick<Health, 'state' | 'summary'>): void {
    const from = this.#state;
    if (state === from) return;
    this.#state = state;
    // That a daemon begins is told by its start.
    if (from === undefined && state === 'NOT SYNCED') return;
    const level = state === 'OK' ? 'info' : 'warn';
    this.#write(level, 'state-changed', { state, from, summary }, 'state changed');
  }

  /** Addresses assigned to Services, or taken back. */
  assignments(changes: readonly AssignmentChange[]): void {
    for (const { service, ips, pool } of changes.slice(0, mostLines)) {
      if (ips.length === 0) this.#write('info', 'eip-taken-back', { service }, 'EIP taken back');
      else this.#write('info', 'eip-assigned', { service, eip: ips, pool }, 'EIP assigned');
    }
    const more = changes.length - mostLines;
    if (more > 0) this.#write('info', 'eips-assigned', { more }, 'further EIPs assigned');
  }

  /** What is announced, or why it is not. */
  announcing({ table, segment, ipv4, ipv6 }: AnnounceStatus): void {
    const states = [ipv4, ipv6].flatMap((one) => one?.state ?? []);
    const level = states.includes('no LAN') ? 'warn' : 'info';
    const eips = (ipv4?.eips ?? 0) + (ipv6?.eips ?? 0);
    this.#write(
      level,
      'announcing',
      { ipv4: ipv4?.state, ipv6: ipv6?.state, announceTable: table, segment, eips },
      'announcements changed',
    );
  }

  /** Nodes that begin or cease to drain, and who asked. */
  drains(verdicts: ReadonlyMap<string, Verdict>): void {
    const changes = this.#drains.read(verdicts);
    for (const change of changes.slice(0, mostLines)) {
      const { kind, node, why } = change;
      switch (kind) {
        case 'begins':
          this.#write('info', 'node-drains', { node, why }, 'node drains');
          break;
        case 'goes on':
          this.#write('info', 'node-drains', { node, why, still: true }, 'node drains');
          break;
        case 'is over':
          this.#write('info', 'node-drained', { node, why }, 'node is drained');
          break;
        case 'ends':
          this.#write('info', 'node-undrained', { node, why, but: change.but }, 'node drains no more');
          break;
        default:
          kind satisfies never;
      }
    }
    const more = changes.length - mostLines;
    if (more > 0) this.#write('info', 'more-drains', { more }, 'further nodes began or ceased to drain');
  }

  kernelUnreadable({ error, failures, retryIn }: KernelUnreadable): void {
    this.#isUnreadable = true;
    this.#writeThrottled({
      level: 'error',
      event: 'kernel-unreadable',
      facts: { code: error.code, error: error.message, failures, retryInMs: Math.round(retryIn) },
      words: 'cannot read the kernel; routes stay as they are',
      key: `kernel-unreadable ${error.code}`,
    });
    this.#writeRepeats();
  }

  /** Reports feeds that fail or recover; those that fail for the same reason are one record. */
  feeds({ feeds }: Pick<Overview, 'feeds'>): void {
    const keyOfFeed = ({ cluster, resource }: Feed): string => qualified(cluster, resource);
    const changed = feeds.filter((feed) => this.#troubles.get(keyOfFeed(feed)) !== feed.trouble);
    const groups = Map.groupBy(changed, ({ cluster = '', trouble }) => `${cluster} ${trouble}`);
    for (const all of groups.values()) {
      const resource = all.map((feed) => feed.resource);
      const [first] = all;
      const trouble = first?.trouble;
      const of = first?.cluster === undefined ? {} : { cluster: first.cluster };
      if (trouble === undefined) {
        for (const one of all) this.#troubles.delete(keyOfFeed(one));
        this.#write('info', 'cluster-back', { ...of, resource }, 'the cluster answers again');
      } else {
        for (const one of all) this.#troubles.set(keyOfFeed(one), trouble);
        const at = all.map(({ heard: last }) => last).filter((last) => last !== undefined);
        const lastHeard = at.length === 0 ? 'never' : new Date(Math.max(...at)).toISOString();
        this.#write(
          'warn',
          'cluster-silent',
          { ...of, resource, trouble, lastHeard },
          'the cluster does not answer; routes stay as they are',
        );
      }
    }
  }

  #done(report: Report, story: Story): void {
    const { names, history } = story;
    // An EIP whose route goes to another table has one that is added, and one that is deleted: this one is told of.
    const withdrawn = new Set(report.done.filter(isDelete).map(routedBy));
    const routes = report.done.filter((one) => {
      const eip = routedBy(one);
      return eip !== undefined && (isDelete(one) || !withdrawn.has(eip));
    });
    const own = (): ReadonlySet<Ip> => new Set(routes.flatMap((one) => routedBy(one) ?? []));
    // Replacing a group in place moves EIPs without changing their routes.
    const moved = history?.moved(mostLines, own) ?? { first: [], count: 0 };
    for (const due of routes.slice(0, mostLines)) this.#eip(due, report, story);
    for (const path of moved.first.slice(0, Math.max(0, mostLines - routes.length))) this.#moved(path, story);
    const changed = routes.length + moved.count;
    if (changed > mostLines)
      this.#write('info', 'eips-changed', { more: changed - mostLines }, 'more EIPs changed');

    let lines = 0;
    for (const change of report.repaired.size === 0 ? [] : report.done) {
      const { key } = change;
      if (!report.repaired.has(key)) continue;
      const object = changeObject(change);
      if (eipOf(object) !== undefined || ++lines > mostLines) continue;
      this.#writeThrottled({
        level: 'warn',
        event: 'object-repaired',
        facts: { object: `${object.kind} ${describe(object, names)}` },
        words: 'repaired',
        key,
      });
    }
    this.#write(
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

  #eip(change: PlannedChange, report: Report, story: Story): void {
    const { why } = change;
    const { names, history } = story;
    const eip = routedBy(change);
    if (eip === undefined) return;
    const object = changeObject(change);
    const path = history?.now(eip);
    const before = history?.before(eip);
    const facts = {
      eip,
      service: path?.services ?? why.services,
      ...(path && destination(path.carriers)),
      route: describe(object, names),
    };
    if (change.verb === 'delete') {
      this.#write(
        'info',
        'eip-withdrawn',
        { eip, service: before?.services, route: facts.route },
        'EIP withdrawn',
      );
    } else if (report.repaired.has(keyOf(object))) {
      this.#writeThrottled({
        level: 'warn',
        event: 'eip-repaired',
        facts,
        words: 'EIP repaired',
        key: keyOf(object),
      });
    } else if (change.verb === 'add') this.#write('info', 'eip-routed', facts, 'EIP routed');
    else
      this.#moved(path ?? { eip, services: why.services ?? [], carriers: [] }, story, { route: facts.route });
  }

  #moved(path: Path, { history, leaving }: Story, rest: Facts = {}): void {
    const { eip, services, carriers } = path;
    const facts = {
      eip,
      service: services,
      ...move(history?.before(eip)?.carriers ?? [], carriers),
      ...rest,
      ...leavers(leaving(path)),
    };
    this.#write('info', 'eip-moved', facts, 'EIP moved');
  }

  /** Keyed: facts may differ per round, the problem is reported once. */
  #reportProblems(report: Report, names: LinkNames): void {
    const now = this.#clock();
    const { problems, failed, conflicts, held } = report;
    const parts = [problems, failed, conflicts, held];
    const isSame = parts.every((part, at) => isSameList(part, this.#compared[at]));
    // A round must not cost what stands open.
    if (isSame && !this.#openProblems.isDue(now)) return;
    this.#compared = parts;
    const { begun, solved } = this.#openProblems.read(journalProblems(report, names, this.#records), now);
    for (const [code, found] of Map.groupBy(begun, ({ problem }) => problem.code)) {
      for (const { problem, repeats } of found.slice(0, mostLines))
        this.#write(problem.level, problem.event, { ...problem.facts, ...repeats }, problem.words);
      const [first] = found;
      const more = found.length - mostLines;
      if (first && more > 0)
        this.#write(first.problem.level, 'more-findings', { code, more }, 'and more of the same');
    }
    for (const { key, problem: one, repeats } of solved.slice(0, mostLines)) {
      const { eip, service, node, problem } = one.facts;
      this.#write(
        'info',
        'solved',
        { was: key, problem: firstClause(problem), eip, service, node, ...repeats },
        'solved',
        `solved ${one.code}`,
      );
    }
    const more = solved.length - mostLines;
    if (more > 0) this.#write('info', 'more-solved', { more }, 'and more solved');
  }

  #writeThrottled(one: RepeatedRecord): void {
    if (this.#repeats.first(one.key, one, this.#clock()))
      this.#write(one.level, one.event, one.facts, one.words);
  }

  /** Reports the repeated events whose minute is over. */
  #writeRepeats(): void {
    for (const { last, times, seconds } of this.#repeats.over(this.#clock())) {
      this.#write(last.level, last.event, { ...last.facts, times, seconds }, last.words);
    }
  }

  /** Reports what was left out in the windows that are over. */
  #writeLeftOut(now: number): void {
    for (const leftOut of this.#limit.over(now))
      this.#log.info({ event: 'records-left-out', ...leftOut }, 'records left out');
  }

  /** @param kind of the record: a problem that many Services have keeps none of another code back */
  #write(level: LogLevel, event: EventName, facts: Facts, words: string, kind = kindOf(event, facts)): void {
    const now = this.#clock();
    this.#writeLeftOut(now);
    if (this.#limit.has(kind, now)) this.#log[level]({ event, ...facts }, words);
  }
}

function kindOf(event: EventName, { code }: Facts): string {
  return typeof code === 'string' ? `${event} ${code}` : event;
}

/** The EIP whose route it is: as why it is there says, which spares a hundred thousand texts that are cut out of prefixes. */
function routedBy(change: PlannedChange): Ip | undefined {
  const object = changeObject(change);
  return object.kind === 'route' && object.nhid !== undefined ? (change.why.eip ?? eipOf(object)) : undefined;
}

/** What the records of one round tell of beside its report. */
interface Story {
  readonly names: LinkNames;
  readonly history: PathHistory | undefined;
  readonly leaving: (path: Path) => readonly string[];
}

/** A record of an event that may repeat. Records with one key are the same event. */
interface RepeatedRecord extends Omit<JournalProblem, 'code' | 'about'> {
  readonly key: string;
}

function isSameList(now: readonly unknown[], before: readonly unknown[] = []): boolean {
  return now === before || (now.length === 0 && before.length === 0);
}

/** What was wrong, without what followed from it. */
function firstClause(problem: unknown): string | undefined {
  return typeof problem === 'string' ? problem.replace(/; .*/s, '') : undefined;
}
