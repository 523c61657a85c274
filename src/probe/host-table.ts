import type { Host, Hosts } from '../model/host.ts';
import type { Ip } from '../model/ip.ts';
import type { NeighbourState } from '../model/listing.ts';
import type { Signal } from './judge.ts';

/** What is known of one address. */
interface Entry {
  readonly state: NeighbourState | undefined;
  /** ms of the awake clock; undefined: it answers, or was never asked */
  readonly silentSince: number | undefined;
  /** ms since the epoch of the same moment */
  readonly silentAt: number | undefined;
  /** Since when an address that was silent answers again, in ms of the awake clock. */
  readonly answersSince: number | undefined;
  /** How often it fell silent; forgotten after {@link forgottenAfter} of answers. */
  readonly losses: number;
  /** ms of the awake clock; when it was last trusted again */
  readonly trustedAt: number;
  /**
   * Set while a failure may come from a question that was put while the LAN was lost: 'unread': not looked at since the
   * LAN is back; 'asked': a question was under way then; 'failed': that question failed, and none was put since.
   */
  readonly excuse: 'unread' | 'asked' | 'failed' | undefined;
}

/** One look at an address. Times in ms. */
export interface Look {
  readonly state: NeighbourState | undefined;
  /**
   * 'reported': the kernel has just reported that it failed. The next packet for the node turns FAILED into INCOMPLETE,
   * often before the state is read: only an answer contradicts the report.
   */
  readonly failed: 'reported' | 'unreported';
  /** On the awake clock. */
  readonly now: number;
  /** On the awake clock: since when it is silent, if it is and was not before. */
  readonly since: number;
  /** Since the epoch. */
  readonly at: number;
}

/** An address that fell silent again and again. */
export interface Flapping {
  readonly ip: Ip;
  readonly losses: number;
  /** ms for which it must answer, after it was silent */
  readonly steadyFor: number;
}

/**
 * ms for which a node that was silent must answer before it gets traffic again: it answers ARP before its routes and
 * its kube-proxy are what they should be.
 */
const steadyFor = 1000;

/** ms; a node is held out no longer than this after it answers again */
const longestSteady = 60_000;

/** ms of answers after which it is forgotten that a node fell silent */
const forgottenAfter = 300_000;

const unknown: Entry = {
  state: undefined,
  silentSince: undefined,
  silentAt: undefined,
  answersSince: undefined,
  losses: 0,
  trustedAt: 0,
  excuse: undefined,
};

/** While no packet can leave, other programs still make the kernel ask, and the kernel keeps the failures. */
const back: Entry = { ...unknown, excuse: 'unread' };

/** The addresses of the nodes, as the kernel saw them; kept up to date by looks. No clock of its own. */
export class HostTable {
  readonly #entries = new Map<Ip, Entry>();
  #silent = 0;
  #fixed = 0;
  /** The number of entries with an excuse. */
  #excused = 0;

  /**
   * Keeps these addresses and no others.
   *
   * @param how 'anew': forgets what is known of them; 'back': the same after the LAN was lost: an address that fails
   *   before it is asked again is not silent
   */
  follow(ips: Iterable<Ip>, how: 'as they are' | 'anew' | 'back'): void {
    const before = new Map(this.#entries);
    this.#entries.clear();
    for (const ip of ips) {
      const kept = how === 'as they are' ? before.get(ip) : undefined;
      this.#entries.set(ip, kept ?? (how === 'back' ? back : unknown));
    }
    this.#count();
  }

  /** The kernel begins to ask: a question that is under way goes on. */
  asks(ips: Iterable<Ip>): void {
    // Called several times a second; mostly no entry has an excuse.
    if (this.#excused === 0) return;
    for (const ip of ips) {
      const entry = this.#entries.get(ip);
      if (entry?.excuse !== 'failed') continue;
      this.#entries.set(ip, { ...entry, excuse: undefined });
      this.#excused -= 1;
    }
  }

  /** Forgets all states: the kernel cannot be asked. */
  forget(): void {
    for (const ip of this.#entries.keys()) this.#entries.set(ip, unknown);
    this.#count();
  }

  has(ip: Ip): boolean {
    return this.#entries.has(ip);
  }

  get ips(): readonly Ip[] {
    return [...this.#entries.keys()];
  }

  /** The addresses that the kernel may be made to ask: not those with a fixed link-layer address (NUD_PERMANENT). */
  get asked(): readonly Ip[] {
    return this.ips.filter((ip) => this.#entries.get(ip)?.state !== 'PERMANENT');
  }

  /** Those that have neither answered nor failed to. */
  get unheard(): readonly Ip[] {
    return this.ips.filter((ip) => {
      const { state, silentSince } = this.#at(ip);
      return silentSince === undefined && answerOf(state) === 'as before';
    });
  }

  /** Those whose link-layer address is fixed. */
  get fixed(): readonly Ip[] {
    return this.#fixed === 0 ? [] : this.ips.filter((ip) => this.#at(ip).state === 'PERMANENT');
  }

  /** Those that were REACHABLE at the last look. */
  get reachable(): readonly Ip[] {
    return this.ips.filter((ip) => this.#at(ip).state === 'REACHABLE');
  }

  /** Those that do not answer, or not for long enough. */
  get silent(): readonly Ip[] {
    return this.#silent === 0 ? [] : this.ips.filter((ip) => this.#at(ip).silentSince !== undefined);
  }

  /** What {@link judge} takes. */
  get signals(): readonly Signal[] {
    return [...this.#entries].map(([ip, { silentSince, answersSince }]) => ({
      ip,
      silentSince,
      isBack: answersSince !== undefined,
    }));
  }

  get hosts(): Hosts {
    const hosts = new Map<Ip, Host>();
    for (const [ip, { state, silentAt }] of this.#entries)
      if (state !== undefined) hosts.set(ip, { state, silentSince: silentAt });
    return hosts;
  }

  /** Those that fell silent more than once. @param now ms of the awake clock */
  flapping(now: number): readonly Flapping[] {
    return [...this.#entries].flatMap(([ip, entry]) => {
      const losses = lossesAt(entry, now);
      return losses > 1 ? [{ ip, losses, steadyFor: steadyAfter(losses) }] : [];
    });
  }

  saw(ip: Ip, look: Look): void {
    const before = this.#entries.get(ip);
    if (before === undefined) return;
    const after = next(before, look);
    this.#entries.set(ip, after);
    this.#silent += Number(after.silentSince !== undefined) - Number(before.silentSince !== undefined);
    this.#fixed += Number(after.state === 'PERMANENT') - Number(before.state === 'PERMANENT');
    this.#excused += Number(after.excuse === 'failed') - Number(before.excuse === 'failed');
  }

  #at(ip: Ip): Entry {
    return this.#entries.get(ip) ?? unknown;
  }

  #count(): void {
    const entries = [...this.#entries.values()];
    this.#silent = entries.filter(({ silentSince }) => silentSince !== undefined).length;
    this.#fixed = entries.filter(({ state }) => state === 'PERMANENT').length;
    this.#excused = entries.filter(({ excuse }) => excuse === 'failed').length;
  }
}

function next(before: Entry, { state: read, failed, now, since, at }: Look): Entry {
  const state = failed === 'reported' && answerOf(read) === 'as before' ? 'FAILED' : read;
  switch (answerOf(state)) {
    case 'as before':
      return { ...before, state, excuse: excuseOf(before.excuse, state) };
    case 'silent':
      if (before.excuse !== undefined) return { ...before, state: undefined, excuse: 'failed' };
      return before.silentSince === undefined
        ? {
            ...before,
            state,
            silentSince: since,
            silentAt: at,
            answersSince: undefined,
            losses: lossesAt(before, now) + 1,
          }
        : { ...before, state, answersSince: undefined };
    case 'answers': {
      if (before.silentSince === undefined) return { ...before, state, excuse: undefined };
      const { answersSince = now } = before;
      if (now - answersSince < steadyAfter(before.losses)) return { ...before, state, answersSince };
      const trusted = {
        silentSince: undefined,
        silentAt: undefined,
        answersSince: undefined,
        trustedAt: now,
      };
      return { ...before, state, ...trusted };
    }
  }
}

/**
 * The excuse of an entry that has neither answered nor failed. A question that begins after a failure is put on the LAN
 * that is back.
 */
function excuseOf(before: Entry['excuse'], state: NeighbourState | undefined): Entry['excuse'] {
  if (state === undefined) return before === 'failed' ? before : undefined;
  return before === 'unread' || before === 'asked' ? 'asked' : undefined;
}

function lossesAt({ losses, silentSince, trustedAt }: Entry, now: number): number {
  return silentSince === undefined && now - trustedAt >= forgottenAfter ? 0 : losses;
}

/**
 * ms for which it must answer; doubled with each loss: a node that comes and goes breaks its share of connections each
 * time.
 */
export function steadyAfter(losses: number): number {
  return Math.min(steadyFor * 2 ** Math.max(0, losses - 1), longestSteady);
}

/** A failed entry becomes INCOMPLETE with the next question, and the kernel forgets an unused one: neither is news. */
function answerOf(state: NeighbourState | undefined): 'answers' | 'silent' | 'as before' {
  switch (state) {
    case 'REACHABLE':
    case 'STALE':
    case 'DELAY':
    case 'PROBE':
    case 'PERMANENT':
      return 'answers';
    case 'FAILED':
      return 'silent';
    case 'INCOMPLETE':
    case undefined:
      return 'as before';
    default:
      return state satisfies never;
  }
}
