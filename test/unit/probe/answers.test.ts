import { expect } from 'chai';
import type { Service } from '../../../src/model/cluster.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import { Answers } from '../../../src/probe/answers.ts';
import type { Answer } from '../../../src/probe/eip-question.ts';
import { Inquiry } from '../../../src/probe/inquiry.ts';
import { service } from '../../scene.ts';

const n1 = parseIp('10.0.0.11');
const n2 = parseIp('10.0.0.12');
const eip = parseIp('198.51.100.10');

function web(rest: Partial<Service> = {}, name = 'web', ip = '198.51.100.10'): Service {
  return service(name, [ip], rest);
}

/** Questions about EIPs, to nodes that answer what the test says. */
class World {
  readonly asked: string[] = [];
  readonly answered: string[] = [];
  readonly services = new Map<string, Service>();
  readonly says = new Map<Ip, Answer>();
  readonly routed = new Set<Ip>();
  carriers: readonly Ip[] = [n1, n2];
  readonly waiting: Ip[] = [];
  isAskable = true;
  hasPath = true;
  now = 0;
  readonly answers: Answers;
  /** Turns after which a question is over that nobody answers. */
  silence = 0;
  /** The questions that nobody answers, with the turns in which they are over. */
  #silent: (readonly [turn: number, end: () => void])[] = [];
  #turn = 0;
  /** How often carriers were asked for: once for each EIP that is looked at. */
  looks = 0;
  readonly #inquiry: Inquiry;
  readonly #signal = new AbortController().signal;

  constructor() {
    this.#inquiry = new Inquiry({
      ask: async ({ to, port, mark }) => {
        const via = this.carriers[mark] ?? n1;
        this.asked.push(`${to}:${port} by ${via}`);
        const says = this.says.get(via);
        if (says === undefined)
          await new Promise<void>((resolve) => this.#silent.push([this.#turn + this.silence, resolve]));
        return says ?? 'no answer';
      },
      mark: (via) => (this.hasPath ? this.carriers.indexOf(via) : undefined),
    });
    this.answers = new Answers(
      {
        service: (key) => this.services.get(key),
        isRouted: (ip) => this.routed.has(ip),
        isAskable: () => this.isAskable,
        carriersOf: () => {
          this.looks += 1;
          return this.carriers;
        },
        waitingOf: () => this.waiting,
      },
      this.#inquiry,
    );
  }

  read(of: Service, how: 'changed' | 'as it is' = 'changed'): void {
    const key = `default/${of.name}`;
    const before = this.services.get(key);
    this.services.set(key, of);
    this.answers.read({ key, before, after: of, how }, () => this.now);
  }

  forget(key: string): void {
    const before = this.services.get(key);
    this.services.delete(key);
    this.answers.read({ key, before, after: undefined, how: 'changed' }, () => this.now);
  }

  route(ip = eip): void {
    this.routed.add(ip);
    this.answers.rerouted([ip]);
  }

  /** A Service that is new, and its EIP. */
  add(number: number, name = `web${number}`): void {
    const ip = `198.51.${100 + (number >> 8)}.${number & 255}`;
    this.read(web({}, name, ip));
    this.route(parseIp(ip));
  }

  async turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn += 1) {
      this.now += 25;
      this.#inquiry.turn();
      this.answers.turn(this.now, 2000, (name) => this.answered.push(name), this.#signal);
      this.#turn += 1;
      for (const [until, end] of this.#silent) if (until <= this.#turn) end();
      this.#silent = this.#silent.filter(([until]) => until > this.#turn);
      // An answer comes with the next task.
      await new Promise(setImmediate);
    }
  }
}

describe('the answers for EIPs', () => {
  it('are asked for by way of each node once the EIP is routed, and a Service is answered when all serve', async () => {
    const world = new World();
    world.says.set(n1, 'serves').set(n2, 'refuses');
    world.read(web());
    await world.turns(4);
    expect(world.asked).to.deep.equal([]);
    expect(world.answers.isUnanswered('default/web')).to.equal(true);
    world.route();
    await world.turns(4);
    expect(world.asked.slice(0, 3)).to.deep.equal([
      '198.51.100.10:80 by 10.0.0.11',
      '198.51.100.10:80 by 10.0.0.12',
      '198.51.100.10:80 by 10.0.0.12',
    ]);
    expect(world.answers.answerOf('default/web', n2)).to.equal('refuses');
    // A refusal is waited for without a limit.
    await world.turns(400);
    expect(world.answers.isUnanswered('default/web')).to.equal(true);
    world.says.set(n2, 'serves');
    await world.turns(400);
    expect(world.answered).to.deep.equal(['default/web']);
    expect(world.answers.isUnanswered('default/web')).to.equal(false);
    expect(world.answers.isIdle).to.equal(true);
    expect(world.asked.filter((text) => text.endsWith('11'))).to.have.lengthOf(1);
  });

  it('are refused still by a node that says nothing after it has refused', async () => {
    const world = new World();
    world.silence = 1;
    world.says.set(n1, 'serves').set(n2, 'refuses');
    world.read(web());
    world.route();
    await world.turns(4);
    world.says.delete(n2);
    await world.turns(400);
    expect(world.answers.isUnanswered('default/web')).to.equal(true);
  });

  it('are asked for less and less often while a node refuses', async () => {
    const world = new World();
    world.says.set(n1, 'serves').set(n2, 'refuses');
    world.read(web());
    world.route();
    await world.turns(2000);
    expect(world.asked.length).to.be.within(12, 24);
  });

  it('are not waited for from a node that never answers, nor where there is no path', async () => {
    for (const hasPath of [true, false]) {
      const world = new World();
      world.says.set(n1, 'serves');
      world.hasPath = hasPath;
      world.read(web());
      world.route();
      await world.turns(70);
      expect(world.answers.isUnanswered('default/web')).to.equal(true);
      await world.turns(20);
      expect(world.answers.isUnanswered('default/web')).to.equal(false);
    }
  });

  it('are not asked for what was there before this program, nor for UDP, NAT and EIPs that not everybody may reach', async () => {
    const udp = [{ name: 'dns', protocol: 'UDP', port: 53, nodePort: undefined }] as const;
    for (const [of, how, isAskable] of [
      [web(), 'as it is', true],
      [web({ ports: udp }), 'changed', true],
      [web({ sourceRanges: [] }), 'changed', true],
      [web(), 'changed', false],
    ] as const) {
      const world = new World();
      world.isAskable = isAskable;
      world.read(of, how);
      world.route();
      await world.turns(4);
      expect(world.asked).to.deep.equal([]);
      expect(world.answers.isUnanswered('default/web')).to.equal(false);
    }
  });

  it('are asked for anew when the EIP had no route', async () => {
    const world = new World();
    world.says.set(n1, 'serves').set(n2, 'serves');
    world.read(web(), 'as it is');
    world.route();
    world.read(web({ deleting: true }));
    expect(world.answers.isUnanswered('default/web')).to.equal(false);
    world.routed.clear();
    world.read(web());
    expect(world.answers.isUnanswered('default/web')).to.equal(true);
    world.route();
    await world.turns(3);
    expect(world.answers.isUnanswered('default/web')).to.equal(false);
    expect(world.asked).to.have.lengthOf(2);
  });

  it('are asked for by way of a node that waits, though the Service is answered', async () => {
    const world = new World();
    world.says.set(n2, 'refuses');
    world.read(web(), 'as it is');
    world.route();
    world.waiting.push(n2);
    world.read(web({ deleting: true }));
    await world.turns(3);
    expect(world.answers.isUnanswered('default/web')).to.equal(false);
    expect(world.answers.answerOf('default/web', n2)).to.equal('refuses');
    expect(world.asked.every((text) => text.endsWith('12'))).to.equal(true);
    world.waiting.pop();
    await world.turns(10);
    expect(world.answers.isIdle).to.equal(true);
  });

  it('try one port after the other: a pod may not listen on each', async () => {
    const world = new World();
    world.says.set(n1, 'refuses').set(n2, 'serves');
    const ports = [80, 443].map(
      (port) => ({ name: `${port}`, protocol: 'TCP', port, nodePort: undefined }) as const,
    );
    world.read(web({ ports }));
    world.route();
    await world.turns(6);
    expect(world.asked.filter((text) => text.endsWith('11')).slice(0, 2)).to.deep.equal([
      '198.51.100.10:80 by 10.0.0.11',
      '198.51.100.10:443 by 10.0.0.11',
    ]);
  });

  it('are looked for at most once in a turn for each EIP', async () => {
    const world = new World();
    world.says.set(n1, 'refuses').set(n2, 'refuses');
    world.read(web());
    world.route();
    await world.turns(10);
    expect(world.looks).to.be.within(3, 10);
  });

  it('for many EIPs come from few questions, so many in a second', async () => {
    const world = new World();
    world.says.set(n1, 'serves').set(n2, 'serves');
    const names = Array.from({ length: 250 }, (_, i) => i);
    for (const i of names) {
      world.read(web({}, `web${i}`, `198.51.100.${i}`));
      world.now += 20;
    }
    for (const i of names) world.route(parseIp(`198.51.100.${i}`));
    world.now += 5000;
    await world.turns(1);
    expect(world.asked).to.have.lengthOf(5);
    await world.turns(120);
    expect(world.answered).to.have.lengthOf(250);
    expect(world.asked.length).to.be.below(450);
  });

  it('for a late EIP of many are for all that came before it, whatever answers come after it', async () => {
    const world = new World();
    world.carriers = [n1];
    world.says.set(n1, 'serves');
    const names = Array.from({ length: 100 }, (_, i) => i);
    for (const i of names) {
      world.read(web({}, `web${i}`, `198.51.100.${i}`));
      world.now += 2000;
    }
    for (const i of [99, ...names.slice(0, 99)]) world.route(parseIp(`198.51.100.${i}`));
    await world.turns(20);
    expect(world.asked).to.have.lengthOf(5);
    expect(world.answered).to.have.lengthOf(100);
  });

  it('for few EIPs are asked for one by one', async () => {
    const world = new World();
    world.says.set(n1, 'serves').set(n2, 'serves');
    const names = Array.from({ length: 10 }, (_, i) => i);
    for (const i of names) {
      world.read(web({}, `web${i}`, `198.51.100.${i}`));
      world.now += 2000;
    }
    // The last one first.
    for (const i of names.reverse()) world.route(parseIp(`198.51.100.${i}`));
    await world.turns(20);
    expect(world.asked).to.have.lengthOf(20);
  });

  it('are looked for at once when the Service changes', async () => {
    const world = new World();
    world.silence = 40;
    world.read(web());
    world.route();
    await world.turns(2);
    const { looks } = world;
    await world.turns(1);
    expect(world.looks, 'no question is due').to.equal(looks);
    world.read(web({ deleting: true }));
    await world.turns(1);
    expect(world.looks).to.equal(looks + 1);
  });

  it('are asked for a few at a time once nobody has answered for long, and nobody is waited for any longer', async () => {
    const world = new World();
    // A question takes a second until it is over.
    world.silence = 40;
    for (let i = 0; i < 200; i += 1) world.add(i);
    await world.turns(160);
    expect(world.answered).to.have.lengthOf(200);
    world.asked.length = 0;
    for (let i = 0; i < 200; i += 1) world.add(i + 200, `later${i}`);
    await world.turns(39);
    expect(world.asked).to.have.lengthOf(8);
    expect(world.answered).to.have.lengthOf(200);
    await world.turns(51);
    expect(world.answered).to.have.lengthOf(400);
  });

  it('are asked for by way of each node in turn when nobody has answered for long', async () => {
    const world = new World();
    world.silence = 40;
    world.carriers = Array.from({ length: 50 }, (_, i) => parseIp(`10.0.1.${i}`));
    for (let i = 0; i < 10; i += 1) world.add(i);
    await world.turns(160);
    world.asked.length = 0;
    for (let i = 0; i < 100; i += 1) {
      world.add(i + 10, `later${i}`);
      await world.turns(4);
    }
    // Eight in the forty turns that a question takes.
    expect(world.asked.length).to.be.within(70, 80);
    expect(new Set(world.asked.map((text) => text.split(' ').at(-1))).size).to.be.above(25);
  });

  it('are waited for again as soon as one node answers', async () => {
    const world = new World();
    world.silence = 40;
    for (let i = 0; i < 200; i += 1) world.add(i);
    await world.turns(100);
    world.says.set(n1, 'serves').set(n2, 'refuses');
    world.asked.length = 0;
    for (let i = 0; i < 50; i += 1) world.add(i + 200, `later${i}`);
    await world.turns(245);
    // The other node refuses, and that counts as long as it is said.
    expect(world.answered.filter((name) => name.includes('later'))).to.deep.equal([]);
  });

  it('of a Service that is gone are not asked for', async () => {
    const world = new World();
    world.read(web());
    world.route();
    world.forget('default/web');
    await world.turns(3);
    expect(world.asked).to.deep.equal([]);
    expect(world.answers.isUnanswered('default/web')).to.equal(false);
  });
});
