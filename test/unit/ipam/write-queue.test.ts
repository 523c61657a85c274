import { expect } from 'chai';
import type { Outcome, Writer } from '../../../src/cluster/writer.ts';
import type { Task } from '../../../src/ipam/due.ts';
import { WorkQueue } from '../../../src/ipam/work-queue.ts';
import { WriteQueue } from '../../../src/ipam/write-queue.ts';
import { late } from '../../patience.ts';
import { VirtualClock } from '../cluster/virtual-clock.ts';
import { asking } from './fake-cluster.ts';

const done: Outcome = { kind: 'done' };
const broken: Outcome = {
  kind: 'refused',
  message: 'reset',
  answered: false,
  everything: true,
  wait: undefined,
};
const task: Task = { kind: 'finalizer', verb: 'add' };

/** Writes each Service as often as it has to be, until its write succeeds. */
class Run {
  readonly clock = new VirtualClock();
  readonly queue = new WorkQueue<string>(this.clock);
  readonly writes: WriteQueue;
  /** When each write that was tried began, in ms since the start. */
  readonly tries: { readonly name: string; readonly at: number }[] = [];
  readonly left: Set<string>;
  readonly #start = this.clock.now();
  readonly #stop = new AbortController();

  /** @param answer how a write ends, and after how many ms */
  constructor(names: readonly string[], answer: (name: string, nth: number) => readonly [Outcome, number]) {
    this.left = new Set(names.map((name) => `default/${name}`));
    const { clock, tries } = this;
    const write = async (name: string): Promise<Outcome> => {
      const [outcome, ms] = answer(name, tries.filter((one) => one.name === name).length);
      tries.push({ name, at: this.passed });
      await clock.sleep(ms, this.#stop.signal);
      return outcome;
    };
    const writer: Writer = {
      finalizer: ({ name }) => write(name),
      status: ({ name }) => write(name),
      event: async () => done,
    };
    this.writes = new WriteQueue(writer, this.queue, clock, { idle: 1000, first: 500, longest: 30_000 });
    for (const key of this.left) this.queue.add(key);
  }

  get passed(): number {
    return this.clock.now() - this.#start;
  }

  /** Until all are written. @returns ms */
  async all(): Promise<number> {
    for await (const _ of this.queue.ready(this.#stop.signal)) {
      this.turn();
      if (this.left.size === 0) break;
    }
    return this.passed;
  }

  turn(): void {
    do {
      for (let key = this.queue.take(); key !== undefined; key = this.queue.take()) {
        if (this.left.has(key) && this.writes.admits(key)) this.#write(key);
        else this.queue.done(key);
      }
    } while (this.writes.refill());
  }

  #write(key: string): void {
    const service = asking(key.slice('default/'.length));
    const ended = (outcome: Outcome): void => {
      if (outcome.kind === 'done') this.left.delete(service.key);
    };
    this.writes.start(service, task, ended, this.#stop.signal);
  }
}

const names = (count: number): readonly string[] => [...Array(count).keys()].map((i) => `s${i}`);

describe('writes', () => {
  it('that wait for an API server go as soon as it is there again', async () => {
    const back = 100_000;
    const run: Run = new Run(names(40), () => [run.passed < back ? broken : done, 5]);
    const all = run.all();
    await run.clock.sleep(back, new AbortController().signal);
    run.writes.recovered();
    // Without a word they would wait for up to half a minute more.
    expect((await all) - back).to.be.below(100);
  });

  it('of which two in a hundred fail take hardly longer than if none did', async () => {
    let nth = 0;
    const fails = (): readonly [Outcome, number] => [nth++ % 50 === 17 ? broken : done, 5];
    const run = new Run(names(1000), fails);
    // 32 at once, 5 ms each: 160 ms.
    expect(await run.all()).to.be.within(155, 200);
    expect(run.writes.trouble).to.equal(undefined);
    expect([...run.writes.refused]).to.deep.equal([]);
  });

  it('that break together are one event: each is tried again at once', async () => {
    const run = new Run(names(32), (_, nth) => [nth === 0 ? broken : done, 5]);
    expect(await run.all()).to.equal(10);
    expect(run.writes.trouble).to.equal(undefined);
  });

  it('wait when the API takes none, longer each time, and end the wait with the first success', async () => {
    let up = false;
    const run = new Run(names(40), () => [up ? done : broken, 5]);
    const troubles: (string | undefined)[] = [];
    for await (const _ of run.queue.ready(late())) {
      run.turn();
      troubles.push(run.writes.trouble?.message);
      if (run.passed > 15_530) up = true;
      if (run.left.size === 0) break;
    }
    const waves = [...new Set(run.tries.map(({ at }) => at))];
    // At once, then after 0.5, 1, 2, 4, 8 and 16 s; then all that wait, 32 at a time.
    expect(waves).to.deep.equal([0, 5, 510, 1515, 3520, 7525, 15_530, 31_535, 31_540]);
    expect(troubles).to.include('reset');
    expect(run.writes.trouble).to.equal(undefined);
  });

  it('of others that succeed end the wait of those that failed', async () => {
    // s0 is slow and succeeds; the others fail twice, which begins a wait, and then would succeed.
    const answer = (name: string, nth: number): readonly [Outcome, number] =>
      name === 's0' ? [done, 20] : [nth < 2 ? broken : done, 5];
    const run = new Run(names(10), answer);
    expect(await run.all()).to.equal(25);
  });

  it('wait as long as the API asks', async () => {
    const busy: Outcome = { kind: 'refused', message: '429', answered: true, everything: true, wait: 3000 };
    const run = new Run(names(3), (_, nth) => [nth === 0 ? busy : done, 5]);
    expect(await run.all()).to.equal(3010);
  });

  it('of a Service that alone fails are tried at longer intervals, and it is named', async () => {
    const run = new Run(names(200), (name, nth) => [name === 's0' && nth < 4 ? broken : done, 5]);
    const named: string[] = [];
    for await (const _ of run.queue.ready(late())) {
      run.turn();
      named.push(...run.writes.refused.keys());
      if (run.left.size === 0) break;
    }
    const waits = run.tries.filter(({ name }) => name === 's0').map(({ at }) => at);
    expect(waits[1], 'at once').to.equal(5);
    expect(waits).to.have.length(5);
    expect(run.passed).to.be.above(2000);
    expect(new Set(named)).to.deep.equal(new Set(['default/s0']));
    expect(Math.max(...run.tries.filter(({ name }) => name !== 's0').map(({ at }) => at))).to.be.below(2000);
  });

  it('that are started again by their own end are on their way', async () => {
    const clock = new VirtualClock();
    const queue = new WorkQueue<string>(clock);
    const never = new Promise<Outcome>(() => {});
    let writes = 0;
    const write = (): Promise<Outcome> => {
      writes += 1;
      return writes === 1 ? Promise.resolve(done) : never;
    };
    const writer: Writer = { finalizer: write, status: write, event: write };
    const writing = new WriteQueue(writer, queue, clock, { idle: 1000, first: 500, longest: 30_000 });
    const { signal } = new AbortController();
    const service = asking('s1');
    queue.add('default/s1');
    queue.take();
    const again = Promise.withResolvers<void>();
    writing.start(
      service,
      task,
      () => {
        writing.start(service, task, () => {}, signal);
        again.resolve();
      },
      signal,
    );
    await again.promise;
    await clock.sleep(1, signal);
    expect([writes, writing.isBusy]).to.deep.equal([2, true]);
  });
});
