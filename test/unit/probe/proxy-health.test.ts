import { expect } from 'chai';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { ProxyHealth } from '../../../src/model/probed.ts';
import type { Health } from '../../../src/probe/health-port.ts';
import { afterAnswer, ProxyHealths, type ProxyTarget, unasked } from '../../../src/probe/proxy-health.ts';
import { until } from './until.ts';

const answers: Readonly<Record<string, Health>> = {
  '2': { kind: 'serves' },
  '5': { kind: 'not yet', why: 'it answers 503' },
  '-': { kind: 'no answer', why: 'ECONNREFUSED' },
};

describe('what is known of a kube-proxy', () => {
  for (const [heard, seconds, want] of [
    ['', 1, 'unknown'],
    ['2', 1, 'serves'],
    ['5', 1, 'refuses'],
    ['----', 60, 'unknown'],
    ['2--', 60, 'serves'],
    ['2---', 14, 'serves'],
    ['2---', 15, 'gone'],
    ['2--2--', 60, 'serves'],
    ['2---2', 60, 'serves'],
    ['5--', 60, 'refuses'],
    ['5---', 60, 'gone'],
    ['2---5', 60, 'refuses'],
    [`2${'-'.repeat(30)}`, 1, 'serves'],
    [`2${'-'.repeat(31)}`, 1, 'gone'],
  ] as const) {
    it(`after ${heard || 'nothing'}, ${seconds} s apart, it is ${want}`, () => {
      const known = [...heard].reduce(
        (before, sign, i) => afterAnswer(before, answers[sign] ?? { kind: 'serves' }, i * seconds * 1000),
        unasked,
      );
      expect(known.health).to.equal(want);
    });
  }
});

const targets = (count: number): readonly ProxyTarget[] =>
  Array.from({ length: count }, (_, i) => ({ node: `n${i}`, ip: parseIp(`10.0.${i >> 8}.${i & 255}`) }));

/** Kube-proxies that a test answers for. */
class World implements AsyncDisposable {
  readonly asked: Ip[] = [];
  port = 10_256;
  changes = 0;
  wakes = 0;
  answer: Health = { kind: 'serves' };
  ask = async (): Promise<Health> => this.answer;
  readonly probe: ProxyHealths;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(nodes: readonly ProxyTarget[]) {
    this.probe = new ProxyHealths({
      ask: (ip) => {
        this.asked.push(ip);
        return this.ask();
      },
      port: () => this.port,
      clock: () => performance.now(),
      changed: () => {
        this.changes += 1;
      },
      woke: () => {
        this.wakes += 1;
      },
    });
    this.probe.follow(nodes);
    this.#running = this.probe.run(this.#stop.signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe('the probe of kube-proxy', () => {
  it('asks every node, and tells when one is of another health', async () => {
    await using world = new World(targets(3));
    const known = (health: ProxyHealth) => () =>
      ['n0', 'n1', 'n2'].every((name) => world.probe.health(name) === health);
    await until('all serve', known('serves'));
    expect(world.changes, 'a first answer').to.equal(0);
    world.answer = { kind: 'not yet', why: 'it answers 503' };
    await until('all refuse', known('refuses'));
    expect(world.changes).to.equal(3);
    expect(world.probe.health('n1')).to.equal('refuses');
    expect(world.probe.health('another')).to.equal('unknown');
    expect(world.probe.changes, 'to follow, and one for each').to.equal(4);
  });

  it('asks no more than ten of a thousand nodes at a time', async () => {
    await using world = new World(targets(1000));
    await until('the first are asked', () => world.asked.length > 0);
    expect(world.asked.length).to.equal(10);
    await until('more are asked', () => world.asked.length > 10);
    expect(new Set(world.asked).size).to.equal(world.asked.length);
    expect(world.wakes, 'with every portion but the first').to.equal(world.asked.length / 10 - 1);
  });

  it('asks nobody with port 0, and knows nothing then', async () => {
    await using world = new World(targets(1));
    await until('n0 serves', () => world.probe.health('n0') === 'serves');
    world.port = 0;
    await until('it changes', () => world.changes === 1);
    expect(world.probe.health('n0')).to.equal('unknown');
  });

  it('forgets a node that goes or has another address', async () => {
    await using world = new World(targets(2));
    for (const name of ['n0', 'n1'])
      await until(`${name} serves`, () => world.probe.health(name) === 'serves');
    world.port = 0;
    world.probe.follow([{ node: 'n0', ip: parseIp('10.9.9.9') }, ...targets(2).slice(1)]);
    expect([world.probe.health('n0'), world.probe.health('n1')]).to.deep.equal(['unknown', 'serves']);
  });

  it('takes no answer from the former address of a node', async () => {
    const late = Promise.withResolvers<Health>();
    await using world = new World(targets(1));
    world.ask = () => late.promise;
    const { length } = world.asked;
    await until('n0 is asked', () => world.asked.length > length);
    world.probe.follow([{ node: 'n0', ip: parseIp('10.9.9.9') }]);
    const before = world.probe.health('n0');
    late.resolve({ kind: 'not yet', why: 'it answers 503' });
    await late.promise;
    await Promise.resolve();
    expect([before, world.probe.health('n0')]).to.deep.equal(['unknown', 'unknown']);
  });
});
