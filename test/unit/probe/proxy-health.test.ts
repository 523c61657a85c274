import { expect } from 'chai';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { Health } from '../../../src/probe/health-port.ts';
import { afterAnswer, ProxyHealths, type ProxyTarget, unasked } from '../../../src/probe/proxy-health.ts';

const answers: Readonly<Record<string, Health>> = {
  '2': { kind: 'serves' },
  '5': { kind: 'not yet', why: 'it answers 503' },
  '-': { kind: 'no answer', why: 'ECONNREFUSED' },
};

describe('what is known of a kube-proxy', () => {
  for (const [heard, want] of [
    ['', 'unknown'],
    ['2', 'serves'],
    ['5', 'refuses'],
    ['----', 'unknown'],
    ['2--', 'serves'],
    ['2---', 'gone'],
    ['2--2--', 'serves'],
    ['2---2', 'serves'],
    ['5--', 'refuses'],
    ['5---', 'gone'],
    ['2---5', 'refuses'],
  ] as const) {
    it(`after ${heard || 'nothing'} it is ${want}`, () => {
      const known = [...heard].reduce(
        (before, sign) => afterAnswer(before, answers[sign] ?? { kind: 'serves' }),
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
  answer: Health = { kind: 'serves' };
  readonly probe: ProxyHealths;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor(nodes: readonly ProxyTarget[]) {
    this.probe = new ProxyHealths({
      ask: async (ip) => {
        this.asked.push(ip);
        return this.answer;
      },
      port: () => this.port,
      changed: () => {
        this.changes += 1;
      },
    });
    this.probe.follow(nodes);
    this.#running = this.probe.run(this.#stop.signal);
  }

  async until(what: () => boolean): Promise<void> {
    const late = Date.now() + 1900;
    while (!what()) {
      if (Date.now() > late) throw new Error('it does not come');
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe('the probe of kube-proxy', () => {
  it('asks every node, and tells when one is of another health', async () => {
    await using world = new World(targets(3));
    await world.until(() => world.changes === 3);
    expect(world.probe.health('n1')).to.equal('serves');
    world.answer = { kind: 'not yet', why: 'it answers 503' };
    await world.until(() => world.changes === 6);
    expect(world.probe.health('n1')).to.equal('refuses');
    expect(world.probe.health('another')).to.equal('unknown');
  });

  it('asks a thousand nodes a tenth of a hundred at a time', async () => {
    await using world = new World(targets(1000));
    await world.until(() => world.asked.length > 0);
    expect(world.asked.length).to.equal(10);
    await world.until(() => world.asked.length > 10);
    expect(new Set(world.asked).size).to.equal(world.asked.length);
  });

  it('asks nobody with port 0, and knows nothing then', async () => {
    await using world = new World(targets(1));
    await world.until(() => world.changes === 1);
    world.port = 0;
    await world.until(() => world.changes === 2);
    expect(world.probe.health('n0')).to.equal('unknown');
  });

  it('forgets a node that goes or has another address', async () => {
    await using world = new World(targets(2));
    await world.until(() => world.changes === 2);
    world.port = 0;
    world.probe.follow([{ node: 'n0', ip: parseIp('10.9.9.9') }, ...targets(2).slice(1)]);
    expect([world.probe.health('n0'), world.probe.health('n1')]).to.deep.equal(['unknown', 'serves']);
  });
});
