import { expect } from 'chai';
import { defaultHeartbeat, Heartbeat } from '../../../src/cluster/heartbeat.ts';
import { defaultPace, Reflector, recoverySignal } from '../../../src/cluster/reflector.ts';
import { ClusterStore, resources } from '../../../src/cluster/store.ts';
import { CredentialsError } from '../../../src/cluster/transport.ts';
import { frozenAfter } from '../../../src/status/state.ts';
import { type Mode, OutageTransport } from './outage.ts';
import { VirtualClock } from './virtual-clock.ts';

const second = 1000;
const never = new AbortController().signal;

/** A heartbeat alone, over answers of a script; the last one is repeated. */
async function beat(
  answers: readonly (number | Error | 'nothing')[],
  seconds: number,
  { heard = 0, doubtAt }: { heard?: number; doubtAt?: number } = {},
): Promise<readonly string[]> {
  const clock = new VirtualClock();
  const start = clock.now();
  const told: string[] = [];
  const tell = (what: string): number => told.push(`${(clock.now() - start) / second} ${what}`);
  const stop = new AbortController();
  let count = 0;
  const heartbeat = new Heartbeat({
    clock,
    transport: {
      probe: async (signal) => {
        const answer = answers[Math.min(count, answers.length - 1)] ?? 200;
        count += 1;
        tell(`asked`);
        if (answer === 'nothing') await clock.sleep(3_600_000, signal);
        if (answer instanceof Error) throw answer;
        return Number(answer);
      },
      disconnect: () => tell('disconnected'),
    },
    heard: () => start + heard * second,
    answered: () => undefined,
    ready: () => tell('ready'),
  });
  const running = heartbeat.run(stop.signal);
  if (doubtAt !== undefined) {
    await clock.sleep(doubtAt * second, never);
    heartbeat.doubt();
    await clock.sleep((seconds - doubtAt) * second, never);
  } else await clock.sleep(seconds * second, never);
  stop.abort();
  await running;
  return told;
}

describe('the heartbeat of the API server', () => {
  it('asks every ten seconds, and says nothing while all is well', async () => {
    expect(await beat([200], 35)).to.deep.equal(['10 asked', '20 asked', '30 asked']);
  });

  it('breaks connections through which no answer comes, and asks again soon', async () => {
    expect(await beat(['nothing'], 45)).to.deep.equal([
      '10 asked',
      '25 disconnected',
      '26 asked',
      '41 disconnected',
      '42 asked',
    ]);
  });

  it('breaks none while a long list comes in', async () => {
    expect(await beat(['nothing', 200], 30, { heard: 24 })).to.deep.equal([
      '10 asked',
      '26 asked',
      '26 ready',
    ]);
  });

  it('tells of a server that is ready again, once', async () => {
    const refused = new Error('connect ECONNREFUSED');
    expect(await beat([200, refused, refused, 403, 200], 35, { heard: 20 })).to.deep.equal([
      '10 asked',
      '20 asked',
      '21 asked',
      '22 asked',
      '23 asked',
      '23 ready',
      '33 asked',
    ]);
  });

  it('asks at once when a request has failed', async () => {
    expect(await beat([200], 14, { doubtAt: 3 })).to.deep.equal(['3 asked', '13 asked']);
  });

  it('does not ask every second for ever where it may not ask', async () => {
    const told = await beat([403], 100);
    expect(told.slice(0, 2)).to.deep.equal(['10 asked', '11 asked']);
    expect(told.slice(-4)).to.deep.equal(['69 asked', '70 asked', '80 asked', '90 asked']);
  });

  it('does not run a credential plugin every second', async () => {
    expect(await beat([new CredentialsError('no token', 'get one')], 35)).to.deep.equal([
      '10 asked',
      '20 asked',
      '30 asked',
    ]);
  });
});

/** A whole cluster: three feeds and a heartbeat, over a server that is up and down. */
class Feeds {
  readonly clock = new VirtualClock();
  readonly store = new ClusterStore();
  readonly transport = new OutageTransport(this.clock);
  readonly #stop = new AbortController();
  readonly #running: Promise<unknown>;
  /** When all three lists were committed last. */
  readonly listed = new Map<string, number>();

  constructor() {
    const { clock, store, transport } = this;
    const recovery = recoverySignal();
    const heartbeat = new Heartbeat({
      transport,
      clock,
      heard: () => Math.max(...resources.map((resource) => store.feed(resource).heard ?? 0)),
      answered: () => {
        for (const reflector of reflectors) reflector.answered();
      },
      ready: () => recovery.notify('ready'),
    });
    const reflectors = resources.map((resource) => {
      const list: typeof transport.list = async (...words) => {
        const page = await transport.list(...words);
        this.listed.set(resource, clock.now());
        return page;
      };
      const through = {
        list,
        watch: transport.watch.bind(transport),
        probe: transport.probe.bind(transport),
        disconnect: transport.disconnect.bind(transport),
      };
      return new Reflector({
        transport: through,
        store: store.of(resource),
        pace: defaultPace,
        clock,
        recovery,
        heartbeat,
      });
    });
    this.#running = Promise.all([
      heartbeat.run(this.#stop.signal),
      ...reflectors.map((reflector) => reflector.run(this.#stop.signal)),
    ]);
  }

  async pass(seconds: number): Promise<void> {
    await this.clock.sleep(seconds * second, never);
  }

  /** Lets time pass until it holds. @returns seconds that it took */
  async until(holds: () => boolean, most: number): Promise<number> {
    const start = this.clock.now();
    while (!holds()) {
      if (this.clock.now() - start > most * second) throw new Error(`not within ${most} s`);
      await this.pass(0.1);
    }
    return (this.clock.now() - start) / second;
  }

  troubles(): readonly string[] {
    return resources.flatMap((resource) => this.store.feed(resource).trouble ?? []);
  }

  /** Seconds since the feed that was heard last. */
  silence(): number {
    const heard = Math.max(...resources.map((resource) => this.store.feed(resource).heard ?? 0));
    return (this.clock.now() - heard) / second;
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

describe('feeds of an API server', () => {
  let feeds: Feeds;

  beforeEach(async () => {
    feeds = new Feeds();
    await feeds.pass(60);
  });
  afterEach(() => feeds.end());

  async function outage(...steps: readonly (readonly [mode: Mode, seconds: number])[]): Promise<void> {
    for (const [mode, seconds] of steps) {
      feeds.transport.be(mode);
      await feeds.pass(seconds);
    }
  }

  it('are heard every fifteen seconds although the cluster is quiet, and cause no trouble', async () => {
    for (let i = 0; i < 100; i += 1) {
      await feeds.pass(7);
      expect(feeds.silence()).to.be.at.most(15);
      expect(feeds.troubles()).to.deep.equal([]);
    }
  });

  it('tell within sixty seconds that packets are dropped, by which time they count as frozen', async () => {
    feeds.transport.be('dropped');
    expect(await feeds.until(() => feeds.troubles().length === 3, 60)).to.be.at.most(60);
    await feeds.until(() => feeds.silence() * second > frozenAfter, 60);
    expect(feeds.troubles()).to.have.length(3);
  });

  it('are heard again within seconds after packets were dropped for an hour', async () => {
    await outage(['dropped', 3600]);
    feeds.transport.be('up');
    // An attempt to connect that has begun is waited for: ten seconds.
    expect(await feeds.until(() => feeds.troubles().length === 0, 15)).to.be.at.most(12);
  });

  for (const [down, starting] of [
    [55, 4],
    [3, 2],
    [600, 20],
  ] as const) {
    it(`list within three seconds after /readyz: ${down} s down, then 403 for ${starting} s, then 410`, async () => {
      await outage(['refused', down], ['starting', starting]);
      feeds.transport.be('up');
      const ready = feeds.clock.now();
      const isListed = (): boolean =>
        resources.every((resource) => (feeds.listed.get(resource) ?? 0) >= ready);
      expect(await feeds.until(isListed, 60)).to.be.at.most(3);
      await feeds.pass(2);
      expect(feeds.troubles()).to.deep.equal([]);
    });
  }

  it('do not advise a ClusterRole while the server starts', async () => {
    await outage(['refused', 5], ['starting', 10]);
    for (const trouble of feeds.troubles()) expect(trouble).to.match(/the API server is starting/);
    expect(feeds.troubles()).to.have.length(3);
  });

  it('do not ask a server that is down more than once a second each', async () => {
    const before = feeds.transport.probes.length;
    await outage(['refused', 60]);
    expect(feeds.transport.probes.length - before).to.be.at.most(61);
    expect(defaultHeartbeat.retry).to.equal(second);
  });
});
