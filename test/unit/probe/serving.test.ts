import { expect } from 'chai';
import type { Service } from '../../../src/model/cluster.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { Answer } from '../../../src/probe/eip-question.ts';
import type { Health } from '../../../src/probe/health-port.ts';
import { Serving } from '../../../src/probe/serving.ts';
import { endpoint, service } from '../../scene.ts';
import { until } from './until.ts';

const addresses: Readonly<Record<string, Ip>> = {
  n1: parseIp('10.0.0.11'),
  n2: parseIp('10.0.0.12'),
};

function local(...on: readonly string[]): Service {
  const made = service('web', ['198.51.100.10'], {
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 31_000,
    endpoints: on.map((name) => endpoint(name)),
  });
  return { ...made, endpoints: made.endpoints.filter(({ ip }) => !ip.includes(':')) };
}

function dual(name: string): Service {
  return service(name, ['198.51.100.10', '2001:db8:e::10'], {
    externalTrafficPolicy: 'Local',
    healthCheckNodePort: 31_000,
    endpoints: [endpoint('n1')],
  });
}

const never: Health = { kind: 'not yet', why: 'ECONNREFUSED' };

/** A probe over nodes that answer what the test says. */
class World implements AsyncDisposable {
  readonly asked: string[] = [];
  readonly answered: string[] = [];
  readonly services = new Map<string, Service>();
  readonly healths = new Map<Ip, Health>();
  readonly eipAnswers = new Map<string, Answer>();
  wait = 60_000;
  isRouted = true;
  now = 0;
  readonly serving: Serving;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #changed = Promise.withResolvers<void>();

  constructor(families: 'IPv4' | 'both families' = 'IPv4') {
    this.serving = new Serving({
      service: (key) => this.services.get(key),
      isRouted: () => this.isRouted,
      addressOf: (name, of) => (of === 4 || families === 'both families' ? addresses[name] : undefined),
      ask: async (ip, port) => {
        this.asked.push(`${ip}:${port}`);
        return this.healths.get(ip) ?? never;
      },
      eipAnswer: (service, via) => this.eipAnswers.get(`${service} ${via}`),
      wait: () => this.wait,
      clock: () => this.now,
      changed: () => this.#changed.resolve(),
      answered: (service) => this.answered.push(service),
    });
    this.#running = this.serving.run(this.#stop.signal);
  }

  read(key: string, after: Service | undefined, how: 'changed' | 'as it is'): void {
    const before = this.services.get(key);
    if (after === undefined) this.services.delete(key);
    else this.services.set(key, after);
    this.serving.read({ key, before, after, how });
  }

  get waits(): string {
    return [...this.serving.waiting('default/web')[4]].join(' ');
  }

  /** Waits until something holds, while the time goes on. */
  passes(what: string, holds: () => boolean): Promise<void> {
    return until(what, holds, () => {
      this.now += 100;
    });
  }

  async changed(): Promise<void> {
    await this.#changed.promise;
    this.#changed = Promise.withResolvers();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe('the probe of health check ports', () => {
  it('asks a node that waits until it says 200, and nobody before or after', async () => {
    await using world = new World();
    const { serving } = world;
    world.isRouted = false;
    world.read('default/web', local('n1'), 'as it is');
    expect(world.waits).to.equal('');
    expect([...serving.takeTurned()]).to.deep.equal([]);
    world.read('default/web', local('n1', 'n2'), 'changed');
    expect(world.waits).to.equal('n2');
    expect([...serving.takeTurned()]).to.deep.equal(['default/web']);
    world.healths.set(parseIp('10.0.0.12'), { kind: 'serves' });
    await world.changed();
    expect(world.waits).to.equal('');
    expect([...serving.takeTurned()]).to.deep.equal(['default/web']);
    expect(new Set(world.asked)).to.deep.equal(new Set(['10.0.0.12:31000']));
    expect(serving.problems).to.deep.equal([]);
    const { length } = world.asked;
    world.now += 1000;
    await new Promise((resolve) => setImmediate(resolve));
    expect(world.asked.length).to.equal(length);
  });

  it('lets a node that never says it have traffic after the wait, says so, and hears when it answers', async () => {
    await using world = new World();
    const { serving } = world;
    world.wait = 50;
    world.read('default/web', local('n1'), 'as it is');
    world.read('default/web', local('n1', 'n2'), 'changed');
    // Each look believes 100 ms at most.
    world.now += 70;
    await world.changed();
    expect(world.waits).to.equal('');
    expect(serving.isUnanswered('default/web')).to.equal(false);
    const [problem] = serving.problems;
    expect(problem?.code).to.equal('node-does-not-say-it-serves');
    expect(problem?.message).to.include('default/web').and.to.include('n2');
    world.healths.set(parseIp('10.0.0.12'), { kind: 'serves' });
    world.now += 90;
    await world.passes('it answers', () => serving.problems.length === 0);
    expect(serving.problems).to.deep.equal([]);
  });

  it('counts Services, not their families, in what it says of a node', async () => {
    await using world = new World('both families');
    const { serving } = world;
    world.wait = 50;
    world.isRouted = false;
    world.read('default/web', dual('web'), 'changed');
    world.now += 70;
    await world.changed();
    expect(serving.problems.map(({ message }) => / serves (.*) \(/.exec(message)?.[1])).to.deep.equal([
      'default/web',
    ]);
    world.read('default/mail', dual('mail'), 'changed');
    world.now += 70;
    await world.changed();
    expect(serving.problems.map(({ message }) => / serves (.*) \(/.exec(message)?.[1])).to.deep.equal([
      'default/web and 1 more Service',
    ]);
    world.read('default/web', undefined, 'changed');
    expect(serving.problems.map(({ message }) => / serves (.*) \(/.exec(message)?.[1])).to.deep.equal([
      'default/mail',
    ]);
  });

  it('knows a Service of which no node has said that it serves it, and tells when one does', async () => {
    await using world = new World();
    const { serving } = world;
    world.wait = 50;
    world.isRouted = false;
    world.read('default/web', local('n1', 'n2'), 'changed');
    expect(serving.isUnanswered('default/web')).to.equal(true);
    world.now += 70;
    await world.changed();
    expect(world.waits).to.equal('');
    expect(serving.isUnanswered('default/web')).to.equal(true);
    expect(world.answered).to.deep.equal([]);
    world.healths.set(parseIp('10.0.0.12'), { kind: 'serves' });
    await world.passes('it answers', () => world.answered.length > 0);
    expect(world.answered).to.deep.equal(['default/web']);
    expect(serving.isUnanswered('default/web')).to.equal(false);
  });

  it('asks at the port that the Service has now', async () => {
    await using world = new World();
    world.isRouted = false;
    world.read('default/web', local('n1'), 'changed');
    await world.passes('n1 is asked', () => world.asked.length > 0);
    world.read('default/web', { ...local('n1'), healthCheckNodePort: 31_001 }, 'changed');
    await world.passes('it is asked there', () => world.asked.at(-1) === '10.0.0.11:31001');
    expect(world.waits).to.equal('n1');
  });

  it('forgets a node that never said it when its endpoint goes', async () => {
    await using world = new World();
    const { serving } = world;
    world.wait = 50;
    world.read('default/web', local('n1'), 'as it is');
    world.read('default/web', local('n1', 'n2'), 'changed');
    world.now += 70;
    await world.changed();
    expect(serving.problems).to.have.length(1);
    world.read('default/web', local('n1'), 'changed');
    expect(serving.problems).to.deep.equal([]);
  });

  it('does not count the time in which this program was stopped', async () => {
    await using world = new World();
    const { serving } = world;
    world.wait = 2000;
    world.read('default/web', local('n1'), 'as it is');
    world.read('default/web', local('n1', 'n2'), 'changed');
    const before = world.asked.length;
    world.now += 60_000;
    await until('it is asked again', () => world.asked.length >= before + 3);
    expect(world.waits).to.equal('n2');
    expect(serving.problems).to.deep.equal([]);
  });

  it('lets nobody wait with a wait of 0', async () => {
    await using world = new World();
    world.wait = 0;
    world.read('default/web', local('n1'), 'changed');
    expect(world.waits).to.equal('');
  });

  it('forgets a Service that goes, and asks about one that comes back under its name', async () => {
    await using world = new World();
    world.isRouted = false;
    world.read('default/web', local('n1'), 'as it is');
    world.read('default/web', local('n1', 'n2'), 'changed');
    world.read('default/web', undefined, 'changed');
    expect(world.waits).to.equal('');
    world.read('default/web', local('n1', 'n2'), 'changed');
    expect(world.waits).to.equal('n1 n2');
  });

  it('goes by the answers for EIPs: one that serves waits no more, one that refuses waits without a limit', async () => {
    await using world = new World();
    const { serving } = world;
    world.isRouted = false;
    world.wait = 2000;
    world.read('default/web', local('n1', 'n2'), 'changed');
    world.eipAnswers.set('default/web 10.0.0.11', 'serves');
    world.eipAnswers.set('default/web 10.0.0.12', 'refuses');
    await world.passes('n1 serves', () => world.waits === 'n2');
    const { now } = world;
    await world.passes('twenty seconds are over', () => world.now > now + 20_000);
    expect(world.waits).to.equal('n2');
    expect(serving.problems).to.deep.equal([]);
    world.eipAnswers.set('default/web 10.0.0.12', 'no answer');
    await world.passes('n2 gets traffic', () => world.waits === '');
  });

  it('does not go by a 200 of rules without the EIP: the node gets traffic once it serves that', async () => {
    await using world = new World();
    world.isRouted = false;
    world.wait = 2000;
    world.read('default/web', local('n1', 'n2'), 'changed');
    world.eipAnswers.set('default/web 10.0.0.12', 'refuses');
    for (const ip of ['10.0.0.11', '10.0.0.12']) world.healths.set(parseIp(ip), { kind: 'serves' });
    const asked = (): number => world.asked.filter((one) => one.startsWith('10.0.0.12')).length;
    await until('n1 has traffic, and n2 was asked again', () => world.waits === 'n2' && asked() > 3);
    world.eipAnswers.set('default/web 10.0.0.12', 'serves');
    await until('n2 has traffic', () => world.waits === '');
    expect(world.serving.problems).to.deep.equal([]);
  });

  it('goes by a 200 that was said for the wait: pods may refuse the ports that are asked', async () => {
    await using world = new World();
    world.wait = 2000;
    world.read('default/web', local('n1'), 'as it is');
    world.read('default/web', local('n1', 'n2'), 'changed');
    world.eipAnswers.set('default/web 10.0.0.12', 'refuses');
    await world.passes('it refuses for long', () => world.now > 20_000);
    world.healths.set(parseIp('10.0.0.12'), { kind: 'serves' });
    const { length } = world.asked;
    await world.passes('n2 gets traffic', () => world.waits === '');
    // Each look believes 100 ms at most.
    expect(world.asked.length - length).to.be.at.least(20);
    expect(world.serving.problems).to.deep.equal([]);
  });
});
