import { expect } from 'chai';
import fc from 'fast-check';
import { rawService } from '../../../lab/cluster/manifests.ts';
import type { Replacement } from '../../../src/cluster/resource-index.ts';
import { ClusterStore } from '../../../src/cluster/store.ts';
import { parseIp } from '../../../src/model/ip.ts';

/** How an API server spells its revisions. */
type Spelling = (revision: number) => string;

const decimal: Spelling = (revision) => String(revision);
// Neither ordered as numbers nor as text.
const opaque: Spelling = (revision) => `v${(revision * 7919) % 10_007}`;

interface Revision {
  readonly revision: number;
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly name: string;
  readonly uid: string;
}

/** A Service whose address says at which revision it was written. */
function written({ revision, name, uid }: Revision, spell: Spelling): object {
  return rawService(name, {
    uid,
    eips: [`10.0.${revision >> 8}.${revision & 255}`],
    resourceVersion: spell(revision),
  });
}

/** An API server with a history, a store that reads it through one watch that lags, and our writes to it. */
class LaggingApi {
  readonly store = new ClusterStore();
  readonly #spell: Spelling;
  readonly #history: Revision[] = [];
  /** The present objects of the API server. */
  readonly #present = new Map<string, Revision>();
  #answers: { readonly revision: Revision; readonly from: string }[] = [];
  /** The revision up to which the watch has told. */
  #watched = 0;
  #list: { readonly replacement: Replacement; readonly revision: number } | undefined;
  /** The revision of the last answer to a write of ours, by Service. */
  readonly #ours = new Map<string, number>();
  readonly #shown = new Map<string, number>();

  constructor(spell: Spelling) {
    this.#spell = spell;
  }

  foreignWrite(name: string): void {
    const present = this.#present.get(name);
    if (present === undefined) this.#write('ADDED', name, `${name}${this.#history.length}`);
    else this.#write('MODIFIED', name, present.uid);
  }

  foreignDelete(name: string): void {
    const present = this.#present.get(name);
    if (present !== undefined) this.#write('DELETED', name, present.uid);
  }

  /** A write that names the version that it was made for, as ours all do. */
  ourWrite(name: string): void {
    const service = this.store.service(`default/${name}`);
    const from = service && this.store.version(service);
    const present = this.#present.get(name);
    if (from === undefined || present === undefined || this.#spell(present.revision) !== from) return;
    this.#answers.push({ revision: this.#write('MODIFIED', name, present.uid), from });
  }

  answer(): void {
    const [answer, ...others] = this.#answers;
    if (answer === undefined) return;
    this.#answers = others;
    const { revision, from } = answer;
    this.store.answer(written(revision, this.#spell), from);
    if (this.store.service(`default/${revision.name}`)?.uid === revision.uid) {
      this.#ours.set(revision.name, revision.revision);
    }
  }

  /** The watch tells one event; while a list is read there is no watch. */
  event(): void {
    const next = this.#history[this.#watched];
    if (next === undefined || this.#list !== undefined) return;
    this.#watched += 1;
    const object = written(next, this.#spell);
    if (next.type === 'DELETED') {
      this.store.indexes.services.delete(object);
      this.#ours.delete(next.name);
    } else this.store.indexes.services.set(object);
    this.store.notify();
  }

  beginList(): void {
    if (this.#list !== undefined) return;
    const replacement = this.store.indexes.services.replacement();
    for (const revision of this.#present.values()) replacement.add(written(revision, this.#spell));
    this.#list = { replacement, revision: this.#history.length };
  }

  async endList(): Promise<void> {
    if (this.#list === undefined) return;
    const { replacement, revision } = this.#list;
    this.#list = undefined;
    await this.store.commit(replacement, async () => {}, this.#spell(revision));
    this.#watched = revision;
    for (const name of this.#ours.keys()) if (!this.#knownAt(revision, name)) this.#ours.delete(name);
  }

  /** Nothing that is shown is older than what was shown before, nor than our own last write. */
  check(): void {
    for (const name of names) {
      const [address] = this.store.service(`default/${name}`)?.ingress ?? [];
      if (address === undefined) {
        expect(this.#ours.get(name), `${name}, which we wrote, is gone`).to.equal(undefined);
        this.#shown.delete(name);
        continue;
      }
      const [, , high = 0, low = 0] = address.split('.').map(Number);
      const revision = high * 256 + low;
      expect(revision, `${name} against our own write`).to.be.at.least(this.#ours.get(name) ?? 0);
      expect(revision, `${name} against what was shown`).to.be.at.least(this.#shown.get(name) ?? 0);
      this.#shown.set(name, revision);
    }
  }

  async settle(): Promise<void> {
    await this.endList();
    while (this.#answers.length > 0) this.answer();
    while (this.#watched < this.#history.length) this.event();
    const expected = [...this.#present.values()].map((each) => `${each.name} ${each.uid} ${each.revision}`);
    const found = [...this.store.services()].map(({ name, uid, ingress: [ip = parseIp('10.0.0.0')] }) => {
      const [, , high = 0, low = 0] = ip.split('.').map(Number);
      return `${name} ${uid} ${high * 256 + low}`;
    });
    expect(found.sort()).to.deep.equal(expected.sort());
  }

  #knownAt(revision: number, name: string): boolean {
    const last = this.#history.slice(0, revision).findLast((each) => each.name === name);
    return last?.type !== 'DELETED' || (this.#ours.get(name) ?? 0) > revision;
  }

  #write(type: Revision['type'], name: string, uid: string): Revision {
    const written: Revision = { revision: this.#history.length + 1, type, name, uid };
    this.#history.push(written);
    if (type === 'DELETED') this.#present.delete(name);
    else this.#present.set(name, written);
    return written;
  }
}

const names = ['a', 'b'];
type Step = 'ourWrite' | 'answer' | 'foreignWrite' | 'foreignDelete' | 'event' | 'beginList' | 'endList';

// Often enough that several writes of ours are answered before the watch tells of the first.
const weights: Readonly<Record<Step, number>> = {
  ourWrite: 8,
  answer: 8,
  foreignWrite: 2,
  foreignDelete: 1,
  event: 6,
  beginList: 1,
  endList: 1,
};
const kinds: readonly Step[] = [
  'ourWrite',
  'answer',
  'foreignWrite',
  'foreignDelete',
  'event',
  'beginList',
  'endList',
];
const step = fc.record({
  kind: fc.oneof(...kinds.map((kind) => ({ weight: weights[kind], arbitrary: fc.constant(kind) }))),
  name: fc.constantFrom(...names),
});

describe('a watch that lags behind our own writes', () => {
  for (const [words, spell] of [
    ['decimal', decimal],
    ['opaque', opaque],
  ] as const) {
    it(`never takes a Service back, and is followed to the end (${words} versions)`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
          const api = new LaggingApi(spell);
          for (const name of names) api.foreignWrite(name);
          api.beginList();
          await api.endList();
          for (const each of steps) {
            await api[each.kind](each.name);
            api.check();
          }
          await api.settle();
        }),
        { numRuns: 500 },
      );
    });
  }

  it('is ahead by three writes: finalizer, address, condition', () => {
    const api = new LaggingApi(decimal);
    api.foreignWrite('a');
    api.event();
    for (let write = 0; write < 3; write += 1) {
      api.ourWrite('a');
      api.answer();
    }
    for (let event = 0; event < 3; event += 1) {
      api.event();
      api.check();
    }
  });
});
