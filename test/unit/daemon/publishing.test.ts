import { setImmediate as turn } from 'node:timers/promises';
import { expect } from 'chai';
import { type MemoryConfigMap, memoryConfigMap } from '../../../lab/fake/memory-config-map.ts';
import { ApiError } from '../../../src/cluster/transport.ts';
import { lanAddresses } from '../../../src/daemon/agent-terms.ts';
import { Publishing, type Wanted } from '../../../src/daemon/publishing.ts';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { Link } from '../../../src/model/object.ts';
import { type Publication, publicationText } from '../../../src/model/publication.ts';
import { eth0 } from '../../scene.ts';
import { VirtualClock } from '../cluster/virtual-clock.ts';

const name = { namespace: 'kube-system', name: 'eiproute' };
const content: Publication = {
  id: 'one',
  pools: [{ name: 'public', networks: [parsePrefix('198.51.100.0/24')] }],
  lan: [parseIp('10.0.0.1')],
  state: 'active',
  draining: [],
  leaving: new Map(),
};

const leaving = (node: string) => new Map([[parseIp('198.51.100.10'), [parseIp(node)]]]);

/** One gateway, and the ConfigMap that it publishes in. */
class Stage {
  readonly port: MemoryConfigMap = memoryConfigMap(name);
  readonly #stop = new AbortController();
  readonly #running: Promise<void>[] = [];
  wanted = content;
  readonly clock = new VirtualClock();
  /** What agents could read, by each call. */
  readonly readable: string[] = [];

  start(id = 'one', wanted?: Wanted): Publishing {
    const publishing = new Publishing({
      port: this.port,
      name: 'gw1',
      id,
      wanted: () => wanted ?? this.wanted,
      clock: this.clock,
      readable: (leaving) => this.readable.push([...leaving].join(' ')),
      changed: () => {},
    });
    this.#running.push(publishing.run(this.#stop.signal));
    return publishing;
  }

  /** Lets all that is on its way arrive. */
  async settle(): Promise<void> {
    for (let i = 0; i < 20; i += 1) await turn();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#running);
  }
}

describe('publishing', () => {
  it('writes its key once, and again when it wants something else or somebody else changed it', async () => {
    await using stage = new Stage();
    stage.port.put({ uid: 'u', data: { gw2: 'theirs' } });
    const publishing = stage.start();
    publishing.notify();
    await stage.settle();
    const first = `gw1=${publicationText(content)}`;
    expect(stage.port.writes).to.deep.equal([first]);
    for (let i = 0; i < 5; i += 1) {
      publishing.notify();
      await stage.settle();
    }
    stage.port.put({ uid: 'u', data: { gw1: publicationText(content), gw2: 'changed' } });
    await stage.settle();
    expect(stage.port.writes).to.deep.equal([first]);
    expect(publishing.status()).to.include({ state: 'published', why: undefined });

    stage.wanted = { ...content, state: 'draining' };
    publishing.notify();
    await stage.settle();
    expect(stage.port.writes).to.have.length(2);
    stage.port.put({ uid: 'u', data: { gw2: 'changed' } });
    await stage.settle();
    expect(stage.port.writes).to.have.length(3);
    expect(stage.port.state.object?.data.get('gw2')).to.equal('changed');
    expect(publishing.problems()).to.deep.equal([]);
  });

  it('leaves the draining nodes as they were published as long as no node is known', async () => {
    await using stage = new Stage();
    const before = { ...content, draining: [parseIp('10.0.0.13')] };
    stage.port.put({ uid: 'u', data: { gw1: publicationText(before) } });
    stage.start('one', { ...content, draining: undefined }).notify();
    await stage.settle();
    expect(stage.port.writes).to.deep.equal([]);
    stage.start('one').notify();
    await stage.settle();
    expect(stage.port.writes).to.deep.equal([`gw1=${publicationText(content)}`]);
  });

  it('leaves the nodes that leave EIPs as they were published as long as no Service is known', async () => {
    await using stage = new Stage();
    stage.port.put({
      uid: 'u',
      data: { gw1: publicationText({ ...content, leaving: leaving('10.0.0.13') }) },
    });
    stage.start('one', { ...content, leaving: undefined }).notify();
    await stage.settle();
    expect(stage.port.writes).to.deep.equal([]);
    expect(stage.readable.at(-1)).to.equal('198.51.100.10,10.0.0.13');
  });

  it('tells of nodes that leave EIPs at once, and then once a second; of all else at once', async () => {
    await using stage = new Stage();
    stage.port.put({ uid: 'u', data: {} });
    const publishing = stage.start();
    const begin = stage.clock.now();
    const want = async (wanted: Publication): Promise<void> => {
      stage.wanted = wanted;
      publishing.notify();
      await stage.settle();
    };
    await want(content);
    // Nothing else is asleep: the clock jumps as soon as it is waited for.
    await want({ ...content, leaving: leaving('10.0.0.11') });
    expect([stage.clock.now() - begin, stage.port.writes.length]).to.deep.equal([1000, 2]);
    expect(stage.readable.at(-1)).to.equal('198.51.100.10,10.0.0.11');
    await want({ ...content, draining: [parseIp('10.0.0.12')], leaving: leaving('10.0.0.13') });
    expect([stage.clock.now() - begin, stage.port.writes.length]).to.deep.equal([1000, 3]);
    expect(stage.readable.at(-1)).to.equal('198.51.100.10,10.0.0.13');
  });

  it('is heard by the agents as long as the object is there, and takes what it writes', async () => {
    await using stage = new Stage();
    const publishing = stage.start();
    await stage.settle();
    expect(publishing.isAnswered).to.equal(false);
    stage.port.put({ uid: 'u', data: {} });
    publishing.notify();
    await stage.settle();
    expect(publishing.isAnswered).to.equal(true);
    stage.port.put(undefined);
    await stage.settle();
    expect(publishing.isAnswered).to.equal(false);
  });

  it('does not write again what the watch has not shown yet', async () => {
    await using stage = new Stage();
    stage.port.put({ uid: 'u', data: {} });
    stage.port.hold();
    const publishing = stage.start();
    for (let i = 0; i < 3; i += 1) {
      publishing.notify();
      await stage.settle();
    }
    expect(stage.port.writes).to.have.length(1);
    expect(publishing.status().state).to.equal('not published');
    stage.port.release();
    await stage.settle();
    expect(publishing.status().state).to.equal('published');
    expect(stage.port.writes).to.have.length(1);
  });

  it('writes nothing before it has an address', async () => {
    await using stage = new Stage();
    stage.port.put({ uid: 'u', data: {} });
    stage.wanted = { ...content, lan: [] };
    stage.start().notify();
    await stage.settle();
    expect(stage.port.writes).to.deep.equal([]);
  });

  it('has nothing to complain of where nobody has made the object, and says that it is not published', async () => {
    await using stage = new Stage();
    const publishing = stage.start();
    expect(publishing.status().state).to.equal('not read yet');
    stage.port.put(undefined);
    await stage.settle();
    expect(publishing.status()).to.include({ state: 'not published', why: 'there is no such ConfigMap' });
    stage.port.fail(new ApiError(403, 'configmaps is forbidden'));
    await stage.settle();
    expect(publishing.status().why).to.equal('HTTP 403: configmaps is forbidden');
    expect(publishing.problems()).to.deep.equal([]);
  });

  it('says so when the object goes, or may not be read any more; not when the API is away', async () => {
    await using stage = new Stage();
    stage.port.put({ uid: 'u', data: {} });
    const publishing = stage.start();
    publishing.notify();
    await stage.settle();
    stage.port.fail(new Error('connection refused'));
    await stage.settle();
    expect(publishing.problems()).to.deep.equal([]);
    // The row of the API has the error.
    expect(publishing.status()).to.include({ state: 'not published', why: 'the API does not answer' });
    stage.port.fail(new ApiError(403, 'configmaps is forbidden'));
    await stage.settle();
    expect(publishing.problems().map(({ code, message }) => `${code} ${message}`)).to.deep.equal([
      'publish-refused ConfigMap kube-system/eiproute cannot be read: HTTP 403: configmaps is forbidden; agents of the nodes keep what was published before',
    ]);
    stage.port.put(undefined);
    await stage.settle();
    expect(publishing.problems().map(({ message }) => message)[0]).to.match(
      /^ConfigMap kube-system\/eiproute is gone/,
    );
  });

  it('tries a refused write again, and says why it is refused', async () => {
    await using stage = new Stage();
    stage.port.put({ uid: 'u', data: {} });
    stage.port.refuse({
      kind: 'refused',
      message: 'HTTP 422: too large',
      answered: true,
      everything: true,
      wait: undefined,
    });
    const publishing = stage.start();
    publishing.notify();
    await stage.settle();
    expect(publishing.problems().map(({ message }) => message)[0]).to.match(/cannot publish in .*: HTTP 422/);
    stage.port.refuse(undefined);
    await stage.settle();
    expect(stage.port.writes).to.have.length(1);
    expect(publishing.problems()).to.deep.equal([]);
  });

  it('leaves an API that does not answer a write to the feeds', async () => {
    await using stage = new Stage();
    stage.port.put({ uid: 'u', data: {} });
    stage.port.refuse({
      kind: 'refused',
      message: 'patch configmaps: connection refused',
      answered: false,
      everything: true,
      wait: undefined,
    });
    const publishing = stage.start();
    publishing.notify();
    await stage.settle();
    expect(publishing.problems()).to.deep.equal([]);
    expect(publishing.status().why).to.equal('the API does not answer');
  });

  it('gives way to another gateway of its name, and takes the key over from one that is gone', async () => {
    await using stage = new Stage();
    stage.port.put({ uid: 'u', data: { gw1: publicationText({ ...content, id: 'before' }) } });
    const first = stage.start();
    first.notify();
    await stage.settle();
    expect(stage.port.writes).to.have.length(1);
    const second = stage.start('two', { ...content, lan: [parseIp('10.0.0.2')] });
    second.notify();
    await stage.settle();
    expect(stage.port.writes).to.have.length(2);
    expect(first.problems().map(({ code }) => code)).to.deep.equal(['publish-name-taken']);
    expect(second.problems()).to.deep.equal([]);
    for (let i = 0; i < 5; i += 1) {
      first.notify();
      second.notify();
      await stage.settle();
    }
    expect(stage.port.writes).to.have.length(2);
  });
});

describe('the addresses of a gateway on the LAN', () => {
  const of = (own: Link, former: readonly string[] = []) =>
    lanAddresses([own], 'eth0', [], former.map(parseIp));

  it('are the first of each family, without those that move and the link-local ones', () => {
    expect(
      of(eth0('10.0.0.100/32', '10.0.0.1/24', '10.0.0.9/24', 'fe80::1/64', '2001:db8:10::1/64')),
    ).to.deep.equal(['10.0.0.1', '2001:db8:10::1']);
    expect(of(eth0('fe80::1/64'))).to.deep.equal(['fe80::1']);
    // Agents refuse a gateway like this.
    expect(of(eth0('169.254.10.1/16', '10.0.0.1/24'))).to.deep.equal(['10.0.0.1']);
  });

  it('stay while the interface has none', () => {
    expect(of(eth0('10.0.0.1/24'), ['10.0.0.7', '2001:db8:10::1'])).to.deep.equal([
      '10.0.0.1',
      '2001:db8:10::1',
    ]);
    expect(lanAddresses([], 'eth0', [], [parseIp('10.0.0.7')])).to.deep.equal(['10.0.0.7']);
  });

  it('are those of the configuration where it has some', () => {
    expect(lanAddresses([eth0('10.0.0.1/24')], 'eth0', [parseIp('10.0.0.9')], [])).to.deep.equal([
      '10.0.0.9',
    ]);
  });
});
