import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import fc from 'fast-check';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { Health } from '../../../src/probe/health-port.ts';
import { HungNodes, hangs } from '../../../src/probe/hung-nodes.ts';
import type { PortState } from '../../../src/probe/port-question.ts';
import type { ProxyTarget } from '../../../src/probe/proxy-health.ts';
import { until } from './until.ts';

describe('whether a node hangs', () => {
  const cases: readonly (readonly [proxy: PortState, kubelet: PortState, before: boolean, now: boolean])[] = [
    ['silent', 'silent', false, true],
    ['silent', 'silent', true, true],
    ['silent', 'answers', false, false],
    ['answers', 'silent', true, false],
    ['silent', 'closed', false, false],
    ['closed', 'silent', true, false],
    ['unreached', 'silent', false, false],
    ['silent', 'unreached', false, false],
    ['unreached', 'unreached', false, false],
    ['unreached', 'silent', true, true],
    ['unreached', 'unreached', true, true],
    ['unreached', 'answers', true, false],
  ];
  for (const [proxy, kubelet, before, now] of cases)
    it(`${now ? 'yes' : 'no'}, with kube-proxy ${proxy}, the kubelet ${kubelet}, and ${before ? 'yes' : 'no'} before`, () => {
      expect(hangs(before, [proxy, kubelet])).to.equal(now);
    });
});

/** What becomes of a connection to a port, and of those that are open. */
type Program = 'runs' | 'stopped' | 'closed' | 'dropped';

const proxyPort = 10_256;
const kubeletPort = 10_250;

class PlayedQuestion {
  state: PortState = 'unreached';
  isOpen = true;
  /** The other end was started again, and knows nothing of it. */
  isForgotten = false;
  readonly ip: Ip;
  readonly #program: () => Program;

  constructor(ip: Ip, program: () => Program) {
    this.ip = ip;
    this.#program = program;
  }

  /** What the event loop reads between two timers. */
  read(): void {
    if (!this.isOpen || this.isForgotten || this.state === 'answers' || this.state === 'closed') return;
    switch (this.#program()) {
      case 'runs':
        this.state = 'answers';
        break;
      case 'stopped':
        this.state = 'silent';
        break;
      case 'closed':
        this.state = 'closed';
        break;
      case 'dropped':
        break;
    }
  }

  close(): void {
    this.isOpen = false;
  }
}

interface PlayedNode {
  readonly target: ProxyTarget;
  proxy: Program;
  kubelet: Program;
  /** The question to its kube-proxy that is under way. */
  asked: { readonly since: number; readonly answer: (health: Health) => void } | undefined;
}

const well: Health = { kind: 'serves' };
const none: Health = { kind: 'no answer', why: 'no answer within 1000 ms' };

/** Nodes, and the time, that a test moves. */
class World {
  now = 0;
  share = 0.5;
  ports = { proxy: proxyPort, kubelet: kubeletPort };
  changes = 0;
  readonly nodes: readonly PlayedNode[];
  readonly hung: HungNodes;
  readonly questions: PlayedQuestion[] = [];
  /** Questions to kubelets. */
  kubeletsAsked = 0;

  constructor(count: number) {
    this.nodes = Array.from({ length: count }, (_, i) => ({
      target: { node: `n${i + 1}`, ip: parseIp(`10.0.0.${i + 11}`) },
      proxy: 'runs',
      kubelet: 'runs',
      asked: undefined,
    }));
    this.hung = new HungNodes({
      ask: (ip, port) => this.#ask(ip, port),
      ports: () => this.ports,
      share: () => this.share,
      clock: () => this.now,
      changed: () => {
        this.changes += 1;
      },
    });
    this.hung.follow(this.nodes.map(({ target }) => target));
  }

  node(name: string): PlayedNode {
    const found = this.nodes.find(({ target }) => target.node === name);
    if (found === undefined) throw new Error(`no node ${name}`);
    return found;
  }

  set(name: string, proxy: Program, kubelet: Program): void {
    Object.assign(this.node(name), { proxy, kubelet });
  }

  /** The machine is started again, and its programs do this. */
  restart(name: string, proxy: Program, kubelet: Program): void {
    this.set(name, proxy, kubelet);
    const { ip } = this.node(name).target;
    for (const question of this.questions) if (question.ip === ip) question.isForgotten = true;
  }

  get open(): number {
    return this.questions.filter(({ isOpen }) => isOpen).length;
  }

  get shown(): string {
    return [...this.hung.hung, ...this.hung.problems.map(({ code }) => code)].join(' ');
  }

  /** One turn of the event loop: the timers first, and then what the sockets have. @param ms that pass before */
  async step(ms = 100): Promise<void> {
    this.now += ms;
    this.hung.look();
    for (const question of this.questions) question.read();
    for (const node of this.nodes) {
      if (node.asked === undefined) void this.#askProxy(node);
      const { asked, proxy } = node;
      if (asked === undefined) continue;
      if (proxy === 'runs') asked.answer(well);
      else if (proxy === 'closed' || this.now - asked.since >= 2000) asked.answer(none);
    }
    await turn();
  }

  async pass(ms: number): Promise<void> {
    for (let past = 0; past < ms; past += 100) await this.step();
  }

  /** Steps until it shows this. @returns ms that it took */
  async until(shown: string, most = 60_000): Promise<number> {
    const start = this.now;
    while (this.shown !== shown) {
      if (this.now - start > most) throw new Error(`'${shown}' never came, but '${this.shown}'`);
      await this.step();
    }
    return this.now - start;
  }

  async #askProxy(node: PlayedNode): Promise<void> {
    const asked = Promise.withResolvers<Health>();
    node.asked = { since: this.now, answer: asked.resolve };
    await this.hung.watch(node.target.ip, () => asked.promise);
    node.asked = undefined;
  }

  #ask(ip: Ip, port: number): PlayedQuestion {
    if (port === kubeletPort) this.kubeletsAsked += 1;
    const question = new PlayedQuestion(ip, () => {
      const node = this.nodes.find(({ target }) => target.ip === ip);
      return (port === proxyPort ? node?.proxy : node?.kubelet) ?? 'dropped';
    });
    this.questions.push(question);
    return question;
  }
}

describe('nodes that hang', () => {
  it('are known 1.5 s after the question, and run again as soon as one program answers', async () => {
    for (const back of ['proxy', 'kubelet'] as const) {
      const world = new World(3);
      await world.pass(1000);
      expect([world.shown, world.open, world.kubeletsAsked]).to.deep.equal(['', 0, 3]);
      world.set('n2', 'stopped', 'stopped');
      expect(await world.until('n2 node-hung')).to.be.within(1000, 1500);
      expect(world.changes).to.equal(1);
      await world.pass(60_000);
      expect([world.shown, world.changes]).to.deep.equal(['n2 node-hung', 1]);
      expect(world.open).to.equal(2);
      world.node('n2')[back] = 'runs';
      expect(await world.until('')).to.be.at.most(200);
      expect(world.open).to.equal(0);
    }
  });

  it('are looked at while an answer is awaited, and by nobody where all have come', async () => {
    const world = new World(3);
    await world.pass(1000);
    const stop = new AbortController();
    const running = world.hung.run(stop.signal);
    world.hung.wake();
    world.set('n2', 'stopped', 'stopped');
    await world.step();
    expect(world.shown).to.equal('');
    world.hung.wake();
    // Its clock and the sockets alone: it looks by itself.
    const pass = (): void => {
      world.now += 100;
      for (const question of world.questions) question.read();
    };
    await until('n2 is found', () => world.shown === 'n2 node-hung', pass);
    stop.abort();
    await running;
    expect(world.open).to.equal(0);
  });

  const programs: readonly Program[] = ['runs', 'stopped', 'closed', 'dropped'];
  for (const proxy of programs)
    for (const kubelet of programs) {
      if (proxy === 'stopped' && kubelet === 'stopped') continue;
      it(`are none when kube-proxy is ${proxy} and the kubelet ${kubelet}`, async () => {
        const world = new World(3);
        await world.pass(1000);
        world.set('n2', proxy, kubelet);
        await world.pass(30_000);
        expect([world.shown, world.changes]).to.deep.equal(['', 0]);
      });
    }

  it('hang on when their connections are dropped, and no more when a port is closed', async () => {
    const world = new World(3);
    await world.pass(1000);
    world.set('n2', 'stopped', 'stopped');
    await world.until('n2 node-hung');
    world.set('n2', 'dropped', 'dropped');
    await world.pass(30_000);
    expect(world.shown).to.equal('n2 node-hung');
    world.set('n2', 'dropped', 'closed');
    await world.until('', 6000);
  });

  it('run again when their machine was started again', async () => {
    for (const [proxy, kubelet, most] of [
      ['runs', 'dropped', 200],
      ['stopped', 'runs', 5200],
      ['closed', 'closed', 5200],
    ] as const) {
      const world = new World(3);
      await world.pass(1000);
      world.set('n2', 'stopped', 'stopped');
      await world.until('n2 node-hung');
      world.restart('n2', proxy, kubelet);
      await world.until('', most);
    }
  });

  it('are none when the kubelet has never answered, and it is asked less and less often', async () => {
    const world = new World(3);
    for (const { target } of world.nodes) world.set(target.node, 'runs', 'dropped');
    const asked: number[] = [];
    for (const seconds of [2, 2, 4, 8, 284, 310, 310]) {
      await world.pass(1000 * seconds);
      asked.push(world.kubeletsAsked / 3);
    }
    expect(asked).to.deep.equal([2, 3, 4, 5, 9, 10, 11]);
    expect(world.open).to.equal(0);
    world.set('n2', 'stopped', 'stopped');
    await world.pass(10_000);
    expect([world.shown, world.kubeletsAsked]).to.deep.equal(['', 33]);
    world.set('n2', 'runs', 'runs');
    await world.pass(300_000);
    expect(world.kubeletsAsked).to.equal(36);
    world.set('n2', 'stopped', 'stopped');
    await world.until('n2 node-hung', 2000);
  });

  it('ask a kubelet once at a time', async () => {
    const world = new World(1);
    world.set('n1', 'runs', 'dropped');
    await world.pass(1000);
    // Between two looks the answer of kube-proxy is there first.
    world.now += 100;
    const [node] = world.nodes;
    if (node === undefined) throw new Error('no node');
    await world.hung.watch(node.target.ip, async () => well);
    expect([world.kubeletsAsked, world.open]).to.deep.equal([1, 1]);
  });

  it('cost a kubelet one question in each of those that its kube-proxy leaves open', async () => {
    const world = new World(3);
    await world.pass(1000);
    world.set('n2', 'stopped', 'runs');
    await world.pass(21_000);
    expect(world.kubeletsAsked - 3).to.be.within(9, 11);
  });

  it('are none because this program was stopped, at whatever moment', async () => {
    for (let before = 0; before < 20; before += 1) {
      const world = new World(3);
      await world.pass(1000 + 100 * before);
      for (let i = 0; i < 5; i += 1) {
        for (const { target } of world.nodes) world.set(target.node, 'stopped', 'stopped');
        await world.pass(900);
        for (const { target } of world.nodes) world.set(target.node, 'runs', 'runs');
        await world.step(5000);
        await world.pass(500);
      }
      expect(world.changes).to.equal(0);
    }
  });

  it('are doubted when all hang, and when too many do at once', async () => {
    const world = new World(4);
    await world.pass(1000);
    for (const name of ['n1', 'n2', 'n3']) world.set(name, 'stopped', 'stopped');
    await world.until('hung-doubted', 2000);
    expect(world.hung.problems[0]?.message).to.include('on 3 of 4 nodes (n1, n2, n3)');
    await world.pass(9000);
    expect(world.shown).to.equal('hung-doubted');
    await world.until('n1 n2 n3 node-hung node-hung node-hung', 2000);
    // They have been silent for long, and stay out; the last one is doubted.
    world.set('n4', 'stopped', 'stopped');
    await world.until('n1 n2 n3 node-hung node-hung node-hung hung-doubted', 2000);
    expect(world.hung.problems.at(-1)?.message).to.include('on any of the nodes (n4)');
    await world.pass(30_000);
    expect(world.shown).to.equal('n1 n2 n3 node-hung node-hung node-hung hung-doubted');
    world.set('n1', 'runs', 'runs');
    await world.until('n2 n3 node-hung node-hung hung-doubted', 200);
    await world.until('n2 n3 n4 node-hung node-hung node-hung', 11_000);
  });

  it('are doubted as long as they have not had their turn when all run again', async () => {
    const world = new World(3);
    await world.pass(1000);
    for (const name of ['n1', 'n2', 'n3']) world.set(name, 'stopped', 'stopped');
    await world.until('hung-doubted', 2000);
    expect(world.hung.problems[0]?.message).to.include('on any of the nodes (n1, n2, n3)');
    await world.pass(60_000);
    for (const name of ['n1', 'n2']) {
      world.set(name, 'runs', 'runs');
      await world.pass(1000);
      expect(world.shown).to.equal('hung-doubted');
    }
    world.set('n3', 'runs', 'runs');
    await world.until('', 200);
    // What was doubted is over: the next silence is a new one.
    world.set('n3', 'stopped', 'stopped');
    await world.until('n3 node-hung', 2000);
  });

  it('are believed at once when few of them hang', async () => {
    const world = new World(4);
    await world.pass(1000);
    for (const name of ['n1', 'n2']) world.set(name, 'stopped', 'stopped');
    await world.until('n1 n2 node-hung node-hung', 2000);
  });

  it('are forgotten when nobody is asked any more, or the node is gone', async () => {
    const world = new World(3);
    await world.pass(1000);
    world.set('n2', 'stopped', 'stopped');
    await world.until('n2 node-hung');
    world.ports = { proxy: proxyPort, kubelet: 0 };
    await world.until('', 200);
    expect(world.open).to.equal(0);
    world.ports = { proxy: proxyPort, kubelet: kubeletPort };
    world.set('n2', 'runs', 'runs');
    await world.pass(1000);
    world.set('n2', 'stopped', 'stopped');
    await world.until('n2 node-hung');
    world.hung.follow([]);
    await world.until('', 200);
    expect(world.open).to.equal(0);
  });

  it('are those alone whose programs both were silent, in random histories', async () => {
    const programOf = fc.constantFrom(...programs, 'stopped', 'runs');
    const step = fc.oneof(
      fc.record({ node: fc.integer({ min: 0, max: 4 }), proxy: programOf, kubelet: programOf }),
      fc.record({ pause: fc.constantFrom(100, 100, 100, 1000, 2000, 5000) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const world = new World(5);
        world.share = 1;
        await world.pass(1000);
        /** For how many looks both have been stopped, without a break. */
        const stopped = new Map(world.nodes.map(({ target }) => [target.node, 0]));
        const look = async (): Promise<void> => {
          for (const { target, proxy, kubelet } of world.nodes)
            stopped.set(
              target.node,
              proxy === 'stopped' && kubelet === 'stopped' ? (stopped.get(target.node) ?? 0) + 1 : 0,
            );
          for (const { target, proxy, kubelet } of world.nodes)
            quiet.set(
              target.node,
              [proxy, kubelet].every((program) => program === 'stopped' || program === 'dropped')
                ? (quiet.get(target.node) ?? 0) + 1
                : 0,
            );
          const before = world.hung.hung;
          await world.step();
          const all = world.nodes.every(({ target }) => (stopped.get(target.node) ?? 0) > 0);
          for (const { target, proxy, kubelet } of world.nodes) {
            const { node: name } = target;
            const isHung = world.hung.hung.has(name);
            if (isHung && !before.has(name)) expect(quiet.get(name), name).to.be.at.least(10);
            // It runs, and this was seen before this look.
            if ((proxy === 'runs' || kubelet === 'runs') && (ran.get(name) ?? 0) >= 2)
              expect(isHung, `${name} runs`).to.equal(false);
            const known = (stopped.get(name) ?? 0) >= 36 && !all && world.hung.problems.length > 0;
            if (known && world.hung.problems.every(({ code }) => code === 'node-hung'))
              expect(isHung, `${name} hangs`).to.equal(true);
            ran.set(name, proxy === 'runs' || kubelet === 'runs' ? (ran.get(name) ?? 0) + 1 : 0);
          }
        };
        const ran = new Map<string, number>();
        /** For how many looks none has spoken or been closed; a connection that stood is dropped without a word. */
        const quiet = new Map<string, number>();
        for (const each of steps) {
          if ('pause' in each) for (let past = 0; past < each.pause; past += 100) await look();
          else world.set(`n${each.node + 1}`, each.proxy, each.kubelet);
        }
      }),
      { numRuns: 60 },
    );
  });
});
