import { setImmediate as nextTurn } from 'node:timers/promises';
import { KernelError } from '../kernel/kernel.ts';
import type { Lookup, LookupPort, Question } from '../kernel/lookup-port.ts';
import type { Gateway } from '../model/gateway.ts';
import { type Family, families, family, type Ip } from '../model/ip.ts';
import type { LinkNames } from '../model/iproute.ts';
import type { LookupNote } from '../model/lookup-note.ts';
import type { Link } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { type ForwardedQuestion, forwardedQuestion } from './forwarded-question.ts';
import { isOwnRoute } from './own-route.ts';
import { lookupProblem, type Shadow, shadowProblems } from './shadow-problems.ts';

export interface ShadowedEipsOptions {
  readonly port: LookupPort;
  readonly gateway: () => Gateway;
  /** As of the last dump. */
  readonly links: () => readonly Link[];
  readonly names: LinkNames;
  /**
   * The EIPs with a route to nodes in the kernel whose packets come to it as they are; undefined: another object. They may
   * change while they are walked.
   */
  readonly routed: () => Iterable<Ip | undefined>;
  /** Whether it is one of the EIPs still. */
  readonly isRouted: (eip: Ip) => boolean;
  /** Called when a dump has to show whether a route of ours is there still. */
  readonly doubted: (eip: Ip) => void;
  /** Called when the problems have changed. */
  readonly changed: () => void;
  /** Called after each look. */
  readonly looked?: () => void;
  /** EIPs that are asked for after one dump. */
  readonly mostInPass?: number;
}

/** A round, as far as it matters here. */
export interface LookedRound {
  /** The kernel was dumped. */
  readonly dumped: boolean;
  /** It was no round for a change of this kernel's objects alone: all EIPs have their turn. */
  readonly isDue: boolean;
}

/** How to ask about the packets of each family. */
type Askings = Readonly<Record<Family, ForwardedQuestion>>;

/** What was found of an EIP. */
interface Finding extends Found {
  /** A dump has shown its route between two answers. */
  readonly isSure: boolean;
}

/** An answer. */
interface Found {
  readonly shadow: Shadow;
  /** How many dumps there were before it; of a finding, before its first one. */
  readonly dumps: number;
}

/** Questions that are asked in one turn: 0.4 ms. */
const mostInTurn = 48;
/** EIPs that a daemon asks for after one dump: 60 to 160 ms of processor time. The next dump goes on behind them. */
const mostAfterDump = 20_000;
/** ms after which EIPs that are told of are asked for again, so that what was mended is known soon */
const againAfter = 5000;
/** EIPs that are asked for then, as long as none of them is mended. */
const mostAgain = 500;
/** ms between two looks that changes of other programs begin: one may change its rules and routes all the time. */
const afterOthers = 1000;
/** Objects that are walked in one turn. */
const mostWalked = 2000;

const none: readonly Problem[] = [];

/**
 * The EIPs whose route is in the kernel, while the kernel takes another route or a rule refuses: no dump of our own objects
 * shows that. The kernel is asked where a packet of a client goes.
 *
 * An answer counts when no round was going on: what the kernel was asked about and what is believed are the same state
 * then. Another program may have taken our route away a moment before, which the next dump puts right. So an EIP is told of
 * when two answers say so, and a dump between them has shown its route.
 */
export class ShadowedEips {
  readonly #options: ShadowedEipsOptions;
  readonly #findings = new Map<Ip, Finding>();
  #problems = none;
  #notes: readonly LookupNote[] = [];
  #unknown: string | undefined;
  /** Grows whenever a round begins or ends. */
  #turn = 0;
  #isQuiet = false;
  #dumps = 0;
  /** Of a look that waits for the end of a round. */
  #quiet: PromiseWithResolvers<void> | undefined;
  #due: 'all' | 'found' | undefined;
  #wake = Promise.withResolvers<void>();
  #timer: NodeJS.Timeout | undefined;
  #othersLooked = Number.NEGATIVE_INFINITY;
  /** How many EIPs the passes before this one have asked for, since all had their turn. */
  #asked = 0;

  constructor(options: ShadowedEipsOptions) {
    this.#options = options;
  }

  /** The same array as long as nothing in it changes. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** Of which EIPs the kernel is not asked, as of the last look at all. */
  get notes(): readonly LookupNote[] {
    return this.#notes;
  }

  /** How many EIPs are told of. */
  get count(): number {
    let count = 0;
    for (const { isSure } of this.#findings.values()) if (isSure) count += 1;
    return count;
  }

  /** Whether an EIP is told of. */
  has(eip: Ip): boolean {
    return this.#findings.get(eip)?.isSure === true;
  }

  /** A round begins: it may change the kernel at any time until it ends. */
  rounding(): void {
    this.#turn += 1;
    this.#isQuiet = false;
  }

  /** A round is over. */
  rounded({ dumped, isDue }: LookedRound): void {
    this.#turn += 1;
    this.#isQuiet = true;
    this.#quiet?.resolve();
    this.#quiet = undefined;
    if (!dumped) return;
    this.#dumps += 1;
    if (isDue) this.#due = 'all';
    else if (this.#findings.size > 0) this.#due ??= 'found';
    if (this.#due !== undefined) this.#wake.resolve();
  }

  /** A rule or a route of another program came or went: all EIPs have their turn. */
  othersChanged(): void {
    if (this.#timer !== undefined) return;
    const rest = this.#othersLooked + afterOthers - performance.now();
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#othersLooked = performance.now();
        this.#due = 'all';
        this.#wake.resolve();
      },
      Math.max(0, rest),
    );
  }

  /** Asks after the dumps, until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    signal.addEventListener('abort', () => this.#stop(), { once: true });
    while (!signal.aborted) {
      await this.#rest();
      const due = this.#due;
      this.#due = undefined;
      this.#wake = Promise.withResolvers();
      await this.#look(due, signal);
    }
  }

  /** Ends what waits. A race with one promise of the whole run would keep something of each wait. */
  #stop(): void {
    clearTimeout(this.#timer);
    this.#wake.resolve();
    this.#quiet?.resolve();
  }

  async #rest(): Promise<void> {
    const timer = this.#findings.size > 0 ? setTimeout(() => this.#wake.resolve(), againAfter) : undefined;
    await this.#wake.promise;
    clearTimeout(timer);
  }

  /** @param due undefined: those that are told of have their turn again */
  async #look(due: 'all' | 'found' | undefined, signal: AbortSignal): Promise<void> {
    const pass = new Pass();
    try {
      const askings = { 4: await this.#asking(4, signal), 6: await this.#asking(6, signal) };
      for (const of of families) if (!this.#canPass || askings[of].kind !== 'asked') pass.notAsked.add(of);
      for (const eips of slices(this.#eips(due, pass))) {
        await this.#ask(eips, askings, pass, signal);
        if (signal.aborted) return;
        await nextTurn();
      }
    } catch (error) {
      if (signal.aborted) return;
      if (!(error instanceof KernelError)) throw error;
      pass.unknown = error.message;
    }
    this.#take(pass, due);
  }

  #asking(of: Family, signal: AbortSignal): Promise<ForwardedQuestion> {
    const { gateway, links, port } = this.#options;
    return forwardedQuestion(of, { gateway: gateway(), links: links() }, port, signal);
  }

  /** Those that are told of, or doubted, come first; the others in turn. */
  *#eips(due: 'all' | 'found' | undefined, pass: Pass): Generator<Ip | undefined> {
    const found = [...this.#findings.keys()];
    yield* found.slice(0, mostAgain);
    if (due !== undefined || pass.own.size > 0) yield* found.slice(mostAgain);
    if (due !== 'all') return;
    const { routed, mostInPass = mostAfterDump } = this.#options;
    const from = this.#asked;
    let seen = 0;
    for (const eip of routed()) {
      if (eip !== undefined) seen += 1;
      if (seen > from + mostInPass) {
        pass.isPart = true;
        return;
      }
      this.#asked = Math.max(from, seen);
      yield seen > from && eip !== undefined && !this.#findings.has(eip) ? eip : undefined;
    }
    pass.isPart = from > 0;
    this.#asked = 0;
  }

  /** Asks until no round has come in between. */
  async #ask(eips: readonly Ip[], askings: Askings, pass: Pass, signal: AbortSignal): Promise<void> {
    const { port, isRouted } = this.#options;
    while (!signal.aborted) {
      if (!this.#isQuiet) {
        this.#quiet ??= Promise.withResolvers();
        await this.#quiet.promise;
        continue;
      }
      const turn = this.#turn;
      const asked: Ip[] = [];
      const questions: Question[] = [];
      for (const dst of eips.filter(isRouted)) {
        const asking = askings[family(dst)];
        if (asking.kind === 'rules') pass.unasked.set(family(dst), asking.why);
        if (asking.kind !== 'asked') continue;
        asked.push(dst);
        questions.push({ ...asking.terms, dst });
      }
      if (asked.length === 0) return;
      const answers = this.#canPass ? await port.ask(questions, signal) : [];
      if (turn !== this.#turn) continue;
      for (const [i, eip] of asked.entries()) this.#judge(eip, answers[i], askings, pass);
      return;
    }
  }

  /** A packet needs both interfaces; that one is not there, or down, is told by others. */
  get #canPass(): boolean {
    const { gateway, links } = this.#options;
    const { lan, uplink } = gateway();
    return [lan, uplink].every((name) =>
      links().some((link) => link.name === name && link.up && link.carrier),
    );
  }

  #judge(eip: Ip, lookup: Lookup | undefined, askings: Askings, pass: Pass): void {
    if (lookup === undefined) return;
    const of = family(eip);
    const isOwn =
      lookup.kind === 'unnamed' ||
      (lookup.kind === 'route' && isOwnRoute(lookup.route, of, this.#options.gateway()));
    if (isOwn) {
      if (this.#findings.has(eip)) pass.own.add(eip);
      return;
    }
    const asking = askings[of];
    if (asking.kind === 'asked' && asking.terms.iif !== undefined)
      pass.shadows.set(eip, { shadow: lookup, dumps: this.#dumps });
    // What this host sends may go another way than what comes in.
    else pass.unknown = `for IPv${of} the kernel takes no address beyond the uplink as that of a client`;
  }

  #take(pass: Pass, due: 'all' | 'found' | undefined): void {
    const { isRouted, doubted, looked } = this.#options;
    let doubt: Ip | undefined;
    for (const eip of this.#findings.keys())
      if (pass.own.has(eip) || !isRouted(eip) || pass.notAsked.has(family(eip))) this.#findings.delete(eip);
    for (const [eip, { shadow, dumps }] of pass.shadows) {
      const known = this.#findings.get(eip);
      const isSure = known !== undefined && (known.isSure || dumps > known.dumps);
      if (!isSure) doubt = eip;
      this.#findings.set(eip, { shadow, dumps: known?.dumps ?? dumps, isSure });
    }
    // A look at those that are told of says nothing of the others.
    if (due === 'all' || pass.unknown !== undefined) this.#unknown = pass.unknown;
    if (due === 'all') this.#notes = notesOf(pass);
    this.#tell();
    if (doubt !== undefined) doubted(doubt);
    looked?.();
  }

  #tell(): void {
    const shadows = new Map<Ip, Shadow>();
    for (const [eip, { shadow, isSure }] of this.#findings) if (isSure) shadows.set(eip, shadow);
    const found = [
      ...(this.#unknown === undefined ? [] : [lookupProblem(this.#unknown)]),
      ...shadowProblems(shadows, this.#options.names),
    ];
    const text = (problems: readonly Problem[]): string =>
      problems.map(({ subject, message }) => `${subject} ${message}`).join('\n');
    if (text(found) === text(this.#problems)) return;
    this.#problems = found;
    this.#options.changed();
  }
}

/** What one look has found. */
class Pass {
  /** Of the findings: EIPs of which the kernel takes eiproute's route. */
  readonly own = new Set<Ip>();
  readonly shadows = new Map<Ip, Found>();
  /** What was found of them is no longer known. */
  readonly notAsked = new Set<Family>();
  /** Why the EIPs of a family, of which there are some, were not asked for. */
  readonly unasked = new Map<Family, string>();
  /** There are more EIPs than one look asks for. */
  isPart = false;
  unknown: string | undefined;
}

function notesOf({ unasked, isPart }: Pass): readonly LookupNote[] {
  const notes: LookupNote[] = [...unasked].map(([of, why]) => ({ family: of, why }));
  return isPart
    ? [
        ...notes,
        { why: `there are more than ${mostAfterDump}: so many are asked for at each resync, in turn` },
      ]
    : notes;
}

function* slices(eips: Iterable<Ip | undefined>): Generator<readonly Ip[]> {
  let slice: Ip[] = [];
  let walked = 0;
  for (const eip of eips) {
    walked += 1;
    if (eip !== undefined) slice.push(eip);
    if (slice.length < mostInTurn && walked < mostWalked) continue;
    yield slice;
    slice = [];
    walked = 0;
  }
  if (slice.length > 0) yield slice;
}
