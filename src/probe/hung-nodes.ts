import { isDeepStrictEqual } from 'node:util';
import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { AwakeClock } from './awake-clock.ts';
import type { Health } from './health-port.ts';
import { doubtedHung, hungNode, type ProgramPorts } from './hung-problems.ts';
import { judge, nobodyDoubted } from './judge.ts';
import type { PortState } from './port-question.ts';
import { mostPerSecond, type ProxyTarget } from './proxy-health.ts';
import { Ticker } from './ticker.ts';

/** A question that is under way to a port; see port-question.ts. */
interface Question {
  readonly state: PortState;
  close(): void;
}

export interface HungNodesOptions {
  readonly ask: (ip: Ip, port: number) => Question;
  /** 0: that program is not asked, and no node is believed to hang */
  readonly ports: () => ProgramPorts;
  /** When more than this share of the nodes seems to hang at once, that is doubted. */
  readonly share: () => number;
  /** ms; must never run backwards */
  readonly clock: () => number;
  /** Called when the nodes that hang or the problems have changed. */
  readonly changed: () => void;
}

/**
 * ms between two looks while an answer takes long, and the most that one look counts for. Portions of questions are 333
 * ms apart.
 */
const pace = 100;
const longest = 400;
/**
 * ms after which a kube-proxy that has not answered is asked again, and the kubelet with it. kube-proxy answers within
 * 1 ms, and within 100 ms under load.
 */
const quick = 300;
/** ms that both have to answer then */
const patience = 1000;
/**
 * ms after which a node that hangs is asked by new connections: a machine that was rebooted does not know the old ones.
 */
const renewal = 5000;
/** ms after which a kubelet that did not answer is tried again: doubled each time. */
const retryFirst = 1000;
const retryLongest = 300_000;

/** A question to both programs of a node. */
interface Check {
  readonly questions: readonly Question[];
  /** ms of the awake clock */
  readonly since: number;
  /** When it was first seen that the node hangs; undefined: that is not known yet. */
  readonly hungSince: number | undefined;
}

/** What is known of a kubelet whose kube-proxy has answered. */
interface Kubelet {
  /** ms of the monotonic clock */
  readonly asked: number;
  /** ms until it is asked again */
  readonly wait: number;
  readonly hasAnswered: boolean;
}

/**
 * Whether a node that is being asked hangs.
 *
 * Both programs must be silent on connections that the kernel has accepted. An answer, or a closed port, shows that the
 * node does not hang. A connection that is not established shows nothing: then the former verdict stays.
 */
export function hangs(before: boolean, states: readonly PortState[]): boolean {
  if (states.some(speaks)) return false;
  return before || states.every((state) => state === 'silent');
}

/** Whether a port says that its node does not hang. */
function speaks(state: PortState): boolean {
  return state === 'answers' || state === 'closed';
}

/**
 * Which nodes hang: the kernel answers ARP and takes connections, but no program runs, because all are stopped, or wait
 * for memory or a disk.
 *
 * kube-proxy's health check is asked all the time. When an answer takes long, kube-proxy is asked again, and the
 * kubelet with it, if it ever answered. A silent kube-proxy alone is no reason to drain: its rules go on forwarding.
 */
export class HungNodes {
  readonly #options: HungNodesOptions;
  /** It advances with the looks: answers that came while this program was stopped are read before the next look. */
  readonly #clock: AwakeClock;
  #targets: readonly ProxyTarget[] = [];
  #names: ReadonlyMap<Ip, readonly string[]> = new Map();
  /** The questions to kube-proxies that are under way. */
  readonly #asked = new Map<Ip, { readonly since: number; isChecked: boolean }>();
  readonly #kubelets = new Map<Ip, Kubelet>();
  /** The first questions to kubelets that are under way. */
  readonly #introductions = new Map<Ip, { readonly question: Question; readonly since: number }>();
  readonly #checks = new Map<Ip, Check>();
  #hung: ReadonlySet<string> = new Set();
  #doubted = nobodyDoubted;
  #problems: readonly Problem[] = [];
  /** They rest while every answer comes at once. */
  readonly #looks = new Ticker({ pace, isIdle: () => this.#isIdle, tick: () => this.look() });

  constructor(options: HungNodesOptions) {
    this.#options = options;
    this.#clock = new AwakeClock(options.clock, longest);
  }

  /** Names; the same set as long as they are the same. */
  get hung(): ReadonlySet<string> {
    return this.#hung;
  }

  /** The same array as long as they are the same. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }

  /** @param targets the same array as long as nothing in it changes */
  follow(targets: readonly ProxyTarget[]): void {
    if (targets === this.#targets) return;
    this.#targets = targets;
    this.#names = namesOf(targets);
    for (const ip of this.#kubelets.keys()) if (!this.#names.has(ip)) this.#forget(ip);
  }

  /** Puts a question to the kube-proxy of a node, and looks at the node when that takes long. */
  async watch(ip: Ip, question: () => Promise<Health>): Promise<Health> {
    const asked = { since: this.#clock.now(), isChecked: false };
    this.#asked.set(ip, asked);
    const health = await question();
    if (this.#asked.get(ip) === asked) this.#asked.delete(ip);
    if (health.kind !== 'no answer' && this.#names.has(ip)) this.#answered(ip);
    return health;
  }

  /** Called some time after a question was put: begins to look often, if an answer is still awaited. */
  wake(): void {
    if (this.#isIdle) return;
    this.look();
    this.#looks.begin();
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#looks.run(signal);
    for (const ip of [...this.#kubelets.keys()]) this.#forget(ip);
  }

  get #isIdle(): boolean {
    return this.#asked.size === 0 && this.#introductions.size === 0 && this.#checks.size === 0;
  }

  /** Reads what the ports have said. */
  look(): void {
    const now = this.#clock.now();
    const { proxy, kubelet } = this.#options.ports();
    if (proxy === 0 || kubelet === 0) for (const ip of [...this.#kubelets.keys()]) this.#forget(ip);
    for (const [ip, { question, since }] of this.#introductions)
      if (speaks(question.state) || now - since >= patience) this.#meet(ip, question);
    for (const [ip, asked] of this.#asked) {
      if (asked.isChecked || now - asked.since < quick || !this.#kubelets.get(ip)?.hasAnswered) continue;
      asked.isChecked = true;
      if (!this.#checks.has(ip)) this.#check(ip, undefined, now);
    }
    for (const [ip, check] of this.#checks) this.#read(ip, check, now);
    this.#judge(now);
  }

  /** A kube-proxy has answered: its node runs, and has a kubelet. */
  #answered(ip: Ip): void {
    this.#endCheck(ip);
    const { proxy, kubelet } = this.#options.ports();
    if (proxy === 0 || kubelet === 0 || this.#introductions.has(ip)) return;
    const now = this.#options.clock();
    const known = this.#kubelets.get(ip);
    if (known !== undefined && (known.hasAnswered || now - known.asked < known.wait)) return;
    const wait = known === undefined ? retryFirst : Math.min(2 * known.wait, retryLongest);
    this.#introductions.set(ip, { question: this.#options.ask(ip, kubelet), since: this.#clock.now() });
    this.#kubelets.set(ip, { asked: now, wait, hasAnswered: false });
  }

  #meet(ip: Ip, question: Question): void {
    question.close();
    this.#introductions.delete(ip);
    const known = this.#kubelets.get(ip);
    if (known !== undefined) this.#kubelets.set(ip, { ...known, hasAnswered: question.state === 'answers' });
  }

  #check(ip: Ip, hungSince: number | undefined, now: number): void {
    const { proxy, kubelet } = this.#options.ports();
    const questions = [proxy, kubelet].map((port) => this.#options.ask(ip, port));
    this.#checks.set(ip, { questions, since: now, hungSince });
  }

  /** The connections to a node that hangs stay open: a program that runs again answers on them at once. */
  #read(ip: Ip, check: Check, now: number): void {
    const states = check.questions.map(({ state }) => state);
    const took = now - check.since;
    if (took < patience && !states.some(speaks)) return;
    if (!hangs(check.hungSince !== undefined, states)) this.#endCheck(ip);
    else if (check.hungSince === undefined) this.#checks.set(ip, { ...check, hungSince: now });
    else if (took >= renewal) {
      this.#endCheck(ip);
      this.#check(ip, check.hungSince, now);
    }
  }

  #endCheck(ip: Ip): void {
    for (const question of this.#checks.get(ip)?.questions ?? []) question.close();
    this.#checks.delete(ip);
  }

  #forget(ip: Ip): void {
    this.#endCheck(ip);
    this.#introductions.get(ip)?.question.close();
    this.#introductions.delete(ip);
    this.#kubelets.delete(ip);
  }

  #judge(now: number): void {
    const hung = new Set<string>();
    const problems: Problem[] = [];
    if ([...this.#checks.values()].some(({ hungSince }) => hungSince !== undefined)) {
      const ports = this.#options.ports();
      const signals = [...this.#kubelets.keys()].map((ip) => ({
        ip,
        silentSince: this.#checks.get(ip)?.hungSince,
      }));
      // Nodes that began to hang together have all been asked once every node has had its turn.
      const together = 1000 * Math.max(1, signals.length / mostPerSecond) + 500;
      const terms = { share: this.#options.share(), now, together };
      const { silent, doubts, doubted } = judge(signals, terms, this.#doubted);
      this.#doubted = doubted;
      for (const ip of silent)
        for (const name of this.#names.get(ip) ?? []) {
          hung.add(name);
          problems.push(hungNode(name, ip, ports));
        }
      for (const doubt of doubts)
        problems.push(
          doubtedHung(
            doubt,
            doubt.silent.flatMap((ip) => this.#names.get(ip) ?? []),
          ),
        );
    } else this.#doubted = nobodyDoubted;
    const isSame = isDeepStrictEqual(hung, this.#hung);
    const isSaid = isDeepStrictEqual(problems, this.#problems);
    if (!isSame) this.#hung = hung;
    if (!isSaid) this.#problems = problems;
    if (!isSame || !isSaid) this.#options.changed();
  }
}

/** Nodes of two clusters may have one address. */
function namesOf(targets: readonly ProxyTarget[]): ReadonlyMap<Ip, readonly string[]> {
  const names = new Map<Ip, string[]>();
  for (const { node, ip } of targets) {
    const known = names.get(ip);
    if (known === undefined) names.set(ip, [node]);
    else known.push(node);
  }
  return names;
}
