import type { Kernel, KernelError, Scope } from '../kernel/kernel.ts';
import type { Listing, Neighbour } from '../model/listing.ts';
import { changeObject, type KernelObject, type Key, keyOf, type Link } from '../model/object.ts';
import type { Limits } from '../model/pace.ts';
import type { Refusals, Want } from '../model/want.ts';
import { Fights } from './fights.ts';
import { Memoir } from './memoir.ts';
import { Picture } from './picture.ts';
import { isDelete, references, unpinned } from './plan.ts';
import type { Conflict, Due, Failed, Held, HoldReason, Reason, Report } from './report.ts';
import { type Thought, thought } from './thought.ts';

/** What to keep in the kernel: all that makes a gateway differ from a node agent. */
export interface Role {
  readonly scope: Scope;
  readonly limits: Limits;
  /** Pure: what should be there, given what is there and what the kernel has just refused. */
  want(have: Listing, refused: Refusals): Want;
}

/** 'dump' reads the whole kernel anew; 'memory' trusts the last dump and the answers to our own writes. */
export type Look = 'dump' | 'memory';

/**
 * A refused nexthop hides what is wrong with its group, and that what is wrong with its route: so many tries in
 * one round show it all.
 */
const mostTries = 4;

/** One writer's memory between its rounds: the picture of the kernel, refusals, the hold, fights. */
export class Reconciler {
  readonly #kernel: Kernel;
  readonly #clock: () => number;
  readonly #fights = new Fights();
  readonly #memoir = new Memoir();
  #picture: Picture | undefined;
  #refused = new Map<Key, Failed>();
  #holders: ReadonlyMap<Key, KernelObject> = new Map();
  /** ms since the epoch when the present hold ends. */
  #holdUntil: number | undefined;
  /** Somebody agreed since the last round began; it counts from the next one on. */
  #asked = false;
  #agreed = false;
  #rounds = 0;

  /** @param clock ms since the epoch */
  constructor(kernel: Kernel, clock: () => number) {
    this.#kernel = kernel;
    this.#clock = clock;
  }

  /** The interfaces, as of the last look. */
  get links(): readonly Link[] {
    return this.#picture?.links ?? [];
  }

  /** The scope's neighbours, as of the last look. */
  get neighbours(): readonly Neighbour[] {
    return this.#picture?.neighbours ?? [];
  }

  /** Whether an object of ours with this key is in the kernel, as far as we know. */
  has(key: Key): boolean {
    return this.#picture?.objects.has(key) ?? false;
  }

  /** An operator agrees: what is held because it is too much at once goes on with the next round. */
  agree(): void {
    this.#asked = true;
  }

  /**
   * Brings the kernel to what the role wants, as far as the kernel and the guard let us.
   *
   * @throws KernelError when the kernel cannot be read; nothing has been changed then
   */
  async round(role: Role, reasons: readonly Reason[], look: Look, signal: AbortSignal): Promise<Report> {
    const at = this.#clock();
    const start = performance.now();
    const done: Due[] = [];
    const disturbed = new Set<Key>();
    let looked = false;
    this.#rounds += 1;
    this.#agreed ||= this.#asked;
    this.#asked = false;

    let picture = this.#picture;
    if (look === 'dump' || picture === undefined) {
      picture = await this.#look(role, disturbed, signal);
      this.#refused = new Map();
      looked = true;
    }
    let now = this.#think(role, picture, at);
    let refused = await this.#build(now.builds, picture, done, signal);
    for (let tries = 1; refused.length > 0 && tries < mostTries; tries += 1) {
      // A refusal may mean that our picture is old. Look again, and let the rest stand without what is refused.
      picture = await this.#look(role, disturbed, signal);
      looked = true;
      this.#forgetSolved(picture);
      now = this.#think(role, picture, at);
      refused = await this.#build(now.builds, picture, done, signal);
      this.#holders = await this.#kernel.holders(
        new Set(conflicting(this.#refused.keys(), this.#refused)),
        signal,
      );
    }
    if (refused.length === 0 && now.want.unfinished === true) {
      now = this.#think(role, picture, at);
      refused = await this.#build(now.builds, picture, done, signal);
    }
    const held: Held[] = [...now.held];
    if (refused.length === 0) held.push(...(await this.#withdraw(now.deletes, picture, done, signal)));
    else held.push(...now.deletes.map((one) => waiting(one, 'after a refusal')));

    const repaired = repairs(done, disturbed);
    if (!reasons.some(({ kind }) => kind === 'link' || kind === 'address'))
      this.#fights.repaired(repaired, at);
    this.#minuteHold(held);
    return {
      round: this.#rounds,
      reasons,
      looked,
      at,
      duration: performance.now() - start,
      done,
      repaired,
      held,
      ...this.#standing(now, at),
      again: earliest(held),
    };
  }

  async #look(role: Role, disturbed: Set<Key>, signal: AbortSignal): Promise<Picture> {
    const listing = await this.#kernel.list(role.scope, signal);
    for (const key of this.#picture?.disturbed(listing) ?? []) disturbed.add(key);
    this.#picture = new Picture(listing, this.#picture);
    return this.#picture;
  }

  #think(role: Role, picture: Picture, at: number): Thought {
    const want = role.want(picture, this.#refused);
    const found = thought(want, picture, {
      limits: role.limits,
      agreed: this.#agreed || (this.#holdUntil !== undefined && at >= this.#holdUntil),
      holdUntil: this.#holdUntil ?? at + role.limits.hold,
      refused: this.#refused,
      fights: this.#fights.ongoing(at),
      formerly: (key) => this.#memoir.formerly(key),
      now: at,
    });
    this.#memoir.note(want.objects, found.due);
    return found;
  }

  /** Refusals that a new look explains: they are over. */
  #forgetSolved(picture: Picture): void {
    for (const [key, { change, code }] of this.#refused) {
      const object = changeObject(change);
      const isId = object.kind === 'nexthop' || object.kind === 'group';
      const solved =
        (change.verb === 'add' && picture.objects.has(key)) ||
        // Somebody took the id; another one will do as well.
        (isId && code === 'EEXIST') ||
        // Somebody took away what it names; that comes back first now.
        (change.verb !== 'delete' && references(object).some((name) => !picture.objects.has(name)));
      if (solved) this.#refused.delete(key);
    }
  }

  /** Takes away from the top down: what the kernel will not let go keeps what it names. */
  async #withdraw(
    deletes: readonly Due[],
    picture: Picture,
    done: Due[],
    signal: AbortSignal,
  ): Promise<readonly Held[]> {
    const held: Held[] = [];
    let rest = deletes;
    for (let [first] = rest; first !== undefined; [first] = rest) {
      const { kind } = changeObject(first.change);
      const level = rest.filter(({ change }) => changeObject(change).kind === kind);
      rest = rest.filter(({ change }) => changeObject(change).kind !== kind);
      const refused = await this.#apply(level, picture, done, signal);
      if (refused.length === 0) continue;
      const stays = refused.map(({ change }) => changeObject(change));
      const free = new Set(unpinned(rest, stays, picture.objects));
      held.push(...rest.filter((one) => !free.has(one)).map((one) => waiting(one, 'still named')));
      rest = rest.filter((one) => free.has(one));
    }
    return held;
  }

  /**
   * Builds from the bottom up, one kind after the other. What names something that was refused is not tried: it
   * would fail for that alone, or stand on what is not as it was meant to be.
   *
   * @returns what was refused or not tried
   */
  async #build(
    builds: readonly Due[],
    picture: Picture,
    done: Due[],
    signal: AbortSignal,
  ): Promise<readonly Due[]> {
    const undone: Due[] = [];
    const keys = new Set<Key>();
    const stands = ({ change }: Due): boolean =>
      !references(changeObject(change)).some((key) => keys.has(key));
    for (let from = 0; from < builds.length; ) {
      const kind = kindOf(builds[from]);
      let to = from + 1;
      while (to < builds.length && kindOf(builds[to]) === kind) to += 1;
      const level = builds.slice(from, to);
      const possible = keys.size === 0 ? level : level.filter(stands);
      const refused = await this.#apply(possible, picture, done, signal);
      undone.push(...refused, ...(possible === level ? [] : level.filter((one) => !stands(one))));
      for (const { change } of undone) keys.add(keyOf(changeObject(change)));
      from = to;
    }
    return undone;
  }

  /** @returns what was refused */
  async #apply(
    due: readonly Due[],
    picture: Picture,
    done: Due[],
    signal: AbortSignal,
  ): Promise<readonly Due[]> {
    if (due.length === 0) return [];
    const outcomes = await this.#tell(due, signal);
    const refused: Due[] = [];
    for (const [i, one] of due.entries()) {
      const { change, why } = one;
      const outcome = outcomes[i];
      const object = changeObject(change);
      const key = keyOf(object);
      if (outcome === undefined || (isDelete(one) && isGone(outcome))) {
        picture.acknowledge(change);
        done.push(one);
      } else {
        refused.push(one);
        this.#refused.set(key, { change, why, code: outcome.code, message: outcome.message });
      }
    }
    return refused;
  }

  async #tell(due: readonly Due[], signal: AbortSignal): Promise<readonly (KernelError | undefined)[]> {
    try {
      return await this.#kernel.apply(
        due.map(({ change }) => change),
        signal,
      );
    } catch (error) {
      // Nobody knows how much of it was done: the next round has to look.
      this.#picture = undefined;
      throw error;
    }
  }

  /** A hold lasts from the first round that has one to the first that has none. */
  #minuteHold(held: readonly Held[]): void {
    const hold = held.find(({ reason }) => reason === 'too many at once');
    // What was let go waits for another reason now: it is not to be held a second time.
    if (hold === undefined && held.some(({ reason }) => reason === 'after a refusal')) return;
    this.#holdUntil = hold?.until;
    if (hold === undefined) this.#agreed = false;
  }

  /** What stands after the round. */
  #standing(
    now: Thought,
    at: number,
  ): Pick<Report, 'failed' | 'conflicts' | 'problems' | 'installed' | 'wanted' | 'complete'> {
    const failed: Failed[] = [];
    const conflicts: Conflict[] = [];
    for (const [key, failure] of this.#refused) {
      if (!isConflict(failure)) failed.push(failure);
      else
        conflicts.push({
          want: changeObject(failure.change),
          why: failure.why,
          holder: this.#holders.get(key),
        });
    }
    const installed = { ...now.wanted };
    const picture = this.#picture;
    for (const one of now.due) {
      if (isDelete(one)) continue;
      const object = changeObject(one.change);
      if (picture?.objects.get(keyOf(object)) !== object) installed[object.kind] -= 1;
    }
    const problems = [...now.want.problems];
    for (const [key, { repairs: times }] of this.#fights.ongoing(at)) {
      problems.push({
        code: 'fight',
        severity: 'error',
        subject: key,
        message: `another program keeps changing ${key}: repaired ${times} times in five minutes`,
        advice:
          'find the program (ip monitor, journalctl), and make it leave the object alone; until then it is put right more and more slowly',
      });
    }
    return { failed, conflicts, problems, installed, wanted: now.wanted, complete: now.want.complete };
  }
}

function waiting(due: Due, reason: HoldReason): Held {
  return { ...due, reason, until: undefined };
}

function kindOf(due: Due | undefined): KernelObject['kind'] | undefined {
  return due && changeObject(due.change).kind;
}

function isGone({ code }: KernelError): boolean {
  return code === 'ESRCH' || code === 'ENOENT' || code === 'EADDRNOTAVAIL';
}

/** The key is somebody else's: the add was refused, and no listing showed the object as ours. */
function isConflict({ change, code }: Failed): boolean {
  return change.verb === 'add' && code === 'EEXIST';
}

function* conflicting(keys: Iterable<Key>, refused: ReadonlyMap<Key, Failed>): Generator<Key> {
  for (const key of keys) {
    const failure = refused.get(key);
    if (failure && isConflict(failure)) yield key;
  }
}

function repairs(done: readonly Due[], disturbed: ReadonlySet<Key>): ReadonlySet<Key> {
  const keys = new Set<Key>();
  if (disturbed.size === 0) return keys;
  for (const one of done) {
    const key = keyOf(changeObject(one.change));
    if (!isDelete(one) && disturbed.has(key)) keys.add(key);
  }
  return keys;
}

function earliest(held: readonly Held[]): number | undefined {
  const times = held.map(({ until }) => until).filter((time) => time !== undefined);
  return times.length === 0 ? undefined : Math.min(...times);
}
