import type { Ip } from '../model/ip.ts';
import type { ProxyHealth } from '../model/probed.ts';
import { AwakeClock } from './awake-clock.ts';
import type { Health } from './health-port.ts';
import { Rests } from './rests.ts';

/** What is known of one node's kube-proxy. */
export interface Known {
  readonly health: ProxyHealth;
  /** Questions in a row that got no answer, and when the first of them ended, in ms of the awake clock. */
  readonly misses: number;
  readonly missingSince: number;
}

/** Questions without an answer after which a kube-proxy that answered before is gone, and ms that lie between. */
const mostMisses = 3;
/** A kube-proxy that is restarted, or updated, is back sooner; what it wrote stays in force meanwhile. */
const missingFor = 30_000;

export const unasked: Known = { health: 'unknown', misses: 0, missingSince: 0 };

/**
 * What is known after another answer.
 *
 * A kube-proxy that never answered is unknown: the port may be closed for us, and
 * other dataplanes have none.
 *
 * @param now ms of the awake clock
 */
export function afterAnswer(before: Known, { kind }: Health, now: number): Known {
  switch (kind) {
    case 'serves':
      return { ...unasked, health: 'serves' };
    case 'not yet':
      return { ...unasked, health: 'refuses' };
    case 'no answer': {
      if (before.health === 'unknown') return before;
      const misses = before.misses + 1;
      const missingSince = before.misses === 0 ? now : before.missingSince;
      const isGone = misses >= mostMisses && now - missingSince >= missingFor;
      return { health: isGone ? 'gone' : before.health, misses, missingSince };
    }
    default:
      return kind satisfies never;
  }
}

/** That it has answered for the first time changes nothing: a round for each of a thousand nodes would be a lot. */
function isFine({ health }: Known): boolean {
  return health === 'serves' || health === 'unknown';
}

/** A node, and the address at which its kube-proxy is asked. */
export interface ProxyTarget {
  readonly node: string;
  readonly ip: Ip;
}

export interface ProxyHealthsOptions {
  readonly ask: (ip: Ip, port: number, signal: AbortSignal) => Promise<Health>;
  /** 0: nobody is asked */
  readonly port: () => number;
  /** ms; must never run backwards */
  readonly clock: () => number;
  /** Called when a node's kube-proxy began or ceased to say that it is well, or to be missing. */
  readonly changed: () => void;
  /** Called whenever it wakes up to ask, or not to: at least once a second. */
  readonly woke: () => void;
}

/** ms between two questions to one node, as long as there are few nodes */
const pace = 1000;
/** Portions in a second. A program that sleeps in between finds its caches cold: ten questions at once cost little more than one. */
const portionsPerSecond = 3;
const mostAtOnce = 10;
/** Nodes that are asked in a second. */
export const mostPerSecond = portionsPerSecond * mostAtOnce;

/** What the kube-proxy of each node says of itself (kubernetes/kubernetes, pkg/proxy/healthcheck/proxy_health.go). */
export class ProxyHealths {
  readonly #options: ProxyHealthsOptions;
  readonly #clock: AwakeClock;
  readonly #known = new Map<string, Known>();
  readonly #asking = new Set<string>();
  #targets: readonly ProxyTarget[] = [];
  #changes = 0;

  constructor(options: ProxyHealthsOptions) {
    this.#options = options;
    this.#clock = new AwakeClock(options.clock, 2 * pace);
  }

  /** Grows with each change of a health. */
  get changes(): number {
    return this.#changes;
  }

  health(node: string): ProxyHealth {
    return this.#known.get(node)?.health ?? 'unknown';
  }

  /** @param targets the same array as long as nothing in it changes */
  follow(targets: readonly ProxyTarget[]): void {
    if (targets === this.#targets) return;
    const addresses = new Map(this.#targets.map(({ node, ip }) => [node, ip]));
    const kept = new Set(
      targets.filter(({ node, ip }) => addresses.get(node) === ip).map(({ node }) => node),
    );
    for (const node of this.#known.keys()) if (!kept.has(node)) this.#known.delete(node);
    this.#changes += 1;
    this.#targets = targets;
  }

  /** Asks until the signal is aborted: every node once in a turn, evenly spread over it. */
  async run(signal: AbortSignal): Promise<void> {
    const rests = new Rests(signal);
    while (!signal.aborted) {
      this.#clock.now();
      const targets = this.#targets;
      const port = this.#options.port();
      if (port === 0) this.#forget();
      const few = Math.ceil(targets.length / portionsPerSecond);
      const portion = port === 0 ? 0 : Math.max(1, Math.min(few, mostAtOnce));
      for (let at = 0; portion > 0 && at < targets.length; at += portion) {
        for (const target of targets.slice(at, at + portion)) this.#ask(target, port, signal);
        if (!(await this.#rest(pace / portionsPerSecond, rests))) return;
        this.#clock.now();
      }
      const portions = portion === 0 ? 0 : Math.ceil(targets.length / portion);
      const left = pace * (1 - portions / portionsPerSecond);
      if (left > 0 && !(await this.#rest(left, rests))) return;
    }
  }

  async #rest(ms: number, rests: Rests): Promise<boolean> {
    if (!(await rests.take(ms))) return false;
    this.#options.woke();
    return true;
  }

  #forget(): void {
    if (this.#known.size === 0) return;
    this.#known.clear();
    this.#changes += 1;
    this.#options.changed();
  }

  #ask({ node, ip }: ProxyTarget, port: number, signal: AbortSignal): void {
    if (this.#asking.has(node)) return;
    this.#asking.add(node);
    void this.#options.ask(ip, port, signal).then((answer) => {
      this.#asking.delete(node);
      if (signal.aborted || !this.#targets.some((target) => target.node === node && target.ip === ip)) return;
      const before = this.#known.get(node) ?? unasked;
      const after = afterAnswer(before, answer, this.#clock.now());
      this.#known.set(node, after);
      if (after.health === before.health || (isFine(after) && isFine(before))) return;
      this.#changes += 1;
      this.#options.changed();
    });
  }
}
