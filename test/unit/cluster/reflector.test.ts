import { expect } from 'chai';
import { rawNode } from '../../../lab/cluster/manifests.ts';
import { errorOf } from '../../../src/cluster/failure.ts';
import { defaultPace, Reflector, recoverySignal } from '../../../src/cluster/reflector.ts';
import { ClusterStore } from '../../../src/cluster/store.ts';
import { ApiError, CredentialsError, type Page, ProtocolError } from '../../../src/cluster/transport.ts';
import { ScriptedTransport, type Step } from './script.ts';
import { VirtualClock } from './virtual-clock.ts';

const minute = 60_000;
/** A server that says that it is ready. */
const heartbeat = { ask: async () => 'ready' as const, doubt: () => undefined };

function page(names: readonly string[], resourceVersion: string, next?: string): Page {
  return { items: names.map((name) => rawNode(name)), resourceVersion, next };
}

function added(name: string, resourceVersion: string): object {
  return { type: 'ADDED', object: rawNode(name, { resourceVersion }) };
}

function bookmark(resourceVersion: string): object {
  return { type: 'BOOKMARK', object: { metadata: { resourceVersion } } };
}

function errorEvent(code: number, message: string, details = {}): object {
  return { type: 'ERROR', object: { kind: 'Status', code, message, details } };
}

/** Plays a script to its end and stops. */
async function play(script: readonly Step[] | ((store: ClusterStore) => readonly Step[])): Promise<{
  calls: readonly string[];
  waits: readonly number[];
  store: ClusterStore;
  troubles: readonly string[];
  names: () => string[];
}> {
  const clock = new VirtualClock();
  const store = new ClusterStore();
  const stop = new AbortController();
  const transport = new ScriptedTransport(typeof script === 'function' ? script(store) : script, clock, () =>
    stop.abort(),
  );
  const troubles: string[] = [];
  store.signal.notify = () => {
    const { trouble } = store.feed('nodes');
    if (trouble !== undefined && troubles.at(-1) !== trouble) troubles.push(trouble);
  };
  const recovery = recoverySignal();
  await new Reflector({
    transport,
    store: store.of('nodes'),
    pace: defaultPace,
    clock,
    recovery,
    heartbeat,
  }).run(stop.signal);
  // The guards against silence sleep too; what is between failures is less than a minute and not "settled".
  const waits = clock.slept.filter((ms) => ms < minute && ms !== defaultPace.settled);
  return { calls: transport.calls, waits, store, troubles, names: () => namesOf(store) };
}

function namesOf(store: ClusterStore): string[] {
  return store.snapshot().nodes.map((node) => node.name);
}

const live = { watch: [{ pass: 2 * minute }] };

describe('the reflector', () => {
  it('lists page by page, then watches from the version of the list', async () => {
    const { calls, names, store } = await play([
      { list: page(['n1'], '7', 'token') },
      { list: page(['n2'], '7') },
      { watch: [{ events: [added('n3', '8')] }, { pass: 2 * minute }] },
    ]);
    expect(calls.slice(0, 3)).to.deep.equal([
      'list limit=2000',
      'list limit=2000 from=token',
      'watch from=7 for=360',
    ]);
    expect(names()).to.deep.equal(['n1', 'n2', 'n3']);
    expect(store.feed('nodes')).to.include({ synced: true, trouble: undefined });
  });

  it('is not synced, and shows nothing, before the first list is whole', async () => {
    const { store, names, troubles } = await play([
      { list: page(['n1'], '7', 'token') },
      { list: new Error('socket hang up') },
    ]);
    expect(store.feed('nodes').synced).to.equal(false);
    expect(names()).to.deep.equal([]);
    expect(troubles).to.deep.equal(['socket hang up']);
  });

  it('is not silent while it applies a long list, which everybody may see', async () => {
    const clock = new VirtualClock();
    const store = new ClusterStore();
    const stop = new AbortController();
    const names = Array.from({ length: 1200 }, (_, i) => `n${i}`);
    const transport = new ScriptedTransport([{ list: page(names, '7') }, live], clock, () => stop.abort());
    const heard = new Set<number | undefined>();
    const of = store.of('nodes');
    await new Reflector({
      transport,
      store: {
        ...of,
        commit: (replacement, next, version) =>
          of.commit(
            replacement,
            async () => {
              await clock.sleep(700, stop.signal);
              await next();
              heard.add(store.overview().feeds.find(({ resource }) => resource === 'nodes')?.heard);
              expect(store.snapshot().feeds).to.equal(store.overview().feeds);
              expect(store.snapshot()).to.deep.include({ complete: false, nodes: [] });
            },
            version,
          ),
      },
      pace: defaultPace,
      clock,
      recovery: recoverySignal(),
      heartbeat,
    }).run(stop.signal);
    expect(heard.size, 'one for each turn').to.be.above(1);
    expect(heard).not.to.include(undefined);
    expect(store.snapshot().nodes).to.have.length(1200);
  });

  it('asks for the next page before it reads the present one', async () => {
    let read = false;
    const first: Page = {
      ...page([], '7', 'token'),
      items: {
        *[Symbol.iterator]() {
          read = true;
          yield rawNode('n1');
        },
      },
    };
    const second = { list: page(['n2'], '7'), asked: () => expect(read).to.equal(false) };
    const { names } = await play([{ list: first }, second, live]);
    expect(read).to.equal(true);
    expect(names()).to.deep.equal(['n1', 'n2']);
  });

  it('has the server write the page after the next one while it reads the present one, and no more', async () => {
    const asked: string[] = [];
    const names = Array.from({ length: 600 }, (_, i) => `n${i}`);
    const step = (name: string, list: Page): Step => ({ list, asked: () => asked.push(name) });
    const first: Page = {
      ...page([], '7', 'a'),
      items: {
        *[Symbol.iterator]() {
          for (const name of names) yield rawNode(name);
          expect(asked).to.deep.equal(['first', 'second', 'third']);
        },
      },
    };
    const { names: found } = await play([
      step('first', first),
      step('second', page(['a1'], '7', 'b')),
      step('third', page(['b1'], '7', 'c')),
      step('fourth', page(['c1'], '7')),
      live,
    ]);
    expect(asked).to.deep.equal(['first', 'second', 'third', 'fourth']);
    expect(found()).to.have.members([...names, 'a1', 'b1', 'c1']);
  });

  it('gives the memory of a page back when it is read, and not before', async () => {
    const told: string[] = [];
    const pageOf = (name: string, next?: string): Page => ({
      ...page([], '7', next),
      items: {
        *[Symbol.iterator]() {
          yield rawNode(name);
          told.push(`read ${name}`);
        },
      },
      release: () => told.push(`released ${name}`),
    });
    const { names } = await play([
      { list: pageOf('n1', 'token') },
      { list: pageOf('n2') },
      { watch: [{ check: () => told.push('watched') }, { pass: 2 * minute }] },
    ]);
    expect(told).to.deep.equal(['read n1', 'released n1', 'read n2', 'released n2', 'watched']);
    expect(names()).to.deep.equal(['n1', 'n2']);
  });

  it('lets the event loop go round within a long page', async () => {
    let others = 0;
    let most = 0;
    const long: Page = {
      ...page([], '7'),
      items: {
        *[Symbol.iterator]() {
          for (let i = 0, seen = -1, inARow = 0; i < 1600; i += 1) {
            inARow = others === seen ? inARow + 1 : 1;
            most = Math.max(most, inARow);
            seen = others;
            setImmediate(() => {
              others += 1;
            });
            yield rawNode(`n${i}`);
          }
        },
      },
    };
    const { names } = await play([{ list: long }, live]);
    expect(names()).to.have.length(1600);
    // The first turn may come before the others of its portion.
    expect(most).to.be.at.most(1000);
  });

  it('keeps what it knows, and says why, when an object of a list cannot be read', async () => {
    const words =
      'the API server sent object 2 in the list of nodes as protobuf that cannot be read: at byte 7';
    const broken: Page = {
      ...page([], '9', 'token'),
      items: {
        *[Symbol.iterator]() {
          yield rawNode('n8');
          throw new ProtocolError(words);
        },
      },
    };
    const { calls, names, troubles, store } = await play([
      { list: page(['n1', 'n2'], '7') },
      { watch: new ApiError(410, 'too old') },
      { list: broken },
      // The page that was on its way already.
      { list: page(['n9'], '9'), takes: 5 * minute },
      { list: broken },
      { list: page(['n9'], '9') },
    ]);
    expect(calls.slice(2)).to.deep.equal([
      'list limit=2000',
      'list limit=2000 from=token',
      'list limit=2000',
      'list limit=2000 from=token',
      'list limit=2000',
    ]);
    expect(names()).to.deep.equal(['n1', 'n2']);
    expect(troubles).to.have.length(1);
    expect(troubles[0]).to.match(/ at byte 7; look for a proxy between this host and the API server/);
    expect(store.feed('nodes').synced).to.equal(true);
  });

  it('resumes at once, without a list, when the server ends a watch as asked', async () => {
    const { calls, waits } = await play([
      { list: page(['n1'], '7') },
      { watch: [{ events: [bookmark('9')] }, { pass: 6 * minute }] },
      live,
    ]);
    expect(calls).to.deep.equal([
      'list limit=2000',
      'watch from=7 for=360',
      'watch from=9 for=360',
      'watch from=9 for=360',
    ]);
    expect(waits).to.deep.equal([]);
  });

  it('resumes from the last version when the connection is torn, and calls no one for the first time', async () => {
    const { calls, waits, troubles } = await play([
      { list: page(['n1'], '7') },
      { watch: [{ events: [added('n2', '8')] }, { pass: minute }, { fail: new Error('read ECONNRESET') }] },
      live,
    ]);
    expect(calls.slice(2, 3)).to.deep.equal(['watch from=8 for=360']);
    expect(waits).to.deep.equal([800]);
    expect(troubles).to.deep.equal([]);
  });

  it('gives up a watch that is silent for longer than it was asked to last', async () => {
    const { calls, troubles } = await play([
      { list: page(['n1'], '7') },
      { watch: [{ events: [bookmark('8')] }, { pass: 60 * minute }] },
      { watch: new Error('connect ETIMEDOUT') },
      live,
    ]);
    expect(calls).to.deep.equal([
      'list limit=2000',
      'watch from=7 for=360',
      'watch from=8 for=360',
      'watch from=8 for=360',
      'watch from=8 for=360',
    ]);
    expect(troubles).to.deep.equal(['connect ETIMEDOUT']);
  });

  it('gives up sooner on a server that is known to send bookmarks, and lists: its etcd may be an older one', async () => {
    const started = 1_000_000;
    let at = 0;
    const { calls, names } = await play((store) => [
      { list: page(['n1'], '7') },
      { watch: [{ events: [bookmark('8')] }, { pass: 6 * minute }] },
      { watch: [{ pass: 60 * minute }] },
      { list: page(['n2'], '5') },
      {
        watch: [
          { pass: 1 },
          { events: [bookmark('9')] },
          { check: () => (at = store.feed('nodes').heard ?? 0) },
          { pass: minute },
        ],
      },
    ]);
    expect(calls.slice(2, 5)).to.deep.equal([
      'watch from=8 for=360',
      'list limit=2000',
      'watch from=5 for=360',
    ]);
    expect(names()).to.deep.equal(['n2']);
    expect(at - started).to.equal(6 * minute + 150_000 + 800 + 1);
  });

  it('does not give up a watch that is heard of now and then, however long it lasts', async () => {
    const { calls } = await play([
      { list: page(['n1'], '7') },
      {
        watch: ['8', '9', '10', '11', '12'].flatMap((version) => [
          { pass: 6 * minute },
          { events: [bookmark(version)] },
        ]),
      },
      live,
    ]);
    expect(calls.slice(1, 3)).to.deep.equal(['watch from=7 for=360', 'watch from=12 for=360']);
  });

  it('forgets what failed before as soon as it hears an event', async () => {
    const down = { watch: new Error('down') };
    const { waits } = await play([
      { list: page(['n1'], '7') },
      down,
      down,
      { watch: [{ events: [bookmark('8')] }, { pass: 500 }, { fail: new Error('torn') }] },
      live,
    ]);
    expect(waits).to.deep.equal([800, 1600, 500, 800]);
  });

  it('gives up a list that is silent, and says so', async () => {
    const { calls, troubles } = await play([
      { list: page(['n1'], '7'), takes: 61_000 },
      { list: page(['n1'], '7'), takes: 59_000 },
    ]);
    expect(calls.slice(0, 2)).to.deep.equal(['list limit=2000', 'list limit=2000']);
    expect(troubles).to.deep.equal(['the API server has been silent for 60 s']);
  });

  it('gives up a watch that is never answered long before the watch would be over, and says so', async () => {
    const { calls, troubles } = await play([
      { list: page(['n1'], '7') },
      { watch: [], takes: 61_000 },
      { watch: [], takes: 61_000 },
      live,
    ]);
    expect(calls.slice(0, 4)).to.deep.equal([
      'list limit=2000',
      'watch from=7 for=360',
      'watch from=7 for=360',
      'watch from=7 for=360',
    ]);
    expect(troubles).to.deep.equal(['the API server has been silent for 60 s']);
  });

  it('lists anew after a 410 as the answer to a watch, at once and without a flap', async () => {
    const during: string[][] = [];
    const { calls, waits, names, troubles } = await play((store) => [
      { list: page(['n1', 'n2'], '7') },
      { watch: [{ check: () => during.push(namesOf(store)) }, { fail: new ApiError(410, 'too old') }] },
      { list: page(['n1'], '90', 'token') },
      { list: page(['n3'], '90') },
      { watch: [{ check: () => during.push(namesOf(store)) }, { pass: minute }] },
    ]);
    expect(calls.slice(2)).to.deep.equal([
      'list limit=2000',
      'list limit=2000 from=token',
      'watch from=90 for=360',
      'watch from=90 for=360',
    ]);
    expect(during).to.deep.equal([
      ['n1', 'n2'],
      ['n1', 'n3'],
    ]);
    expect(names()).to.deep.equal(['n1', 'n3']);
    expect(waits).to.deep.equal([]);
    expect(troubles).to.deep.equal([]);
  });

  it('lists at once after a 410, whatever failed before it', async () => {
    const { calls, waits } = await play([
      { list: page(['n1'], '7') },
      { watch: [{ pass: minute }, { fail: new Error('read ECONNRESET') }] },
      ...[1, 2].map(() => ({ watch: new ApiError(403, 'RBAC is not loaded yet') })),
      { watch: new ApiError(410, 'too old') },
      { list: page(['n1'], '90') },
      live,
    ]);
    expect(calls.slice(4, 6)).to.deep.equal(['watch from=7 for=360', 'list limit=2000']);
    expect(waits).to.deep.equal([800, 800, 1600]);
  });

  it('lists anew after a 410 inside the stream', async () => {
    const { calls, waits, troubles } = await play([
      { list: page(['n1'], '7') },
      { watch: [{ events: [errorEvent(410, 'too old resource version: 7 (99)')] }] },
      { list: page(['n1'], '99') },
      live,
    ]);
    expect(calls.slice(2)).to.deep.equal([
      'list limit=2000',
      'watch from=99 for=360',
      'watch from=99 for=360',
    ]);
    expect([waits, troubles]).to.deep.equal([[], []]);
  });

  it('starts the list over when its pages expire, and waits when that happens again and again', async () => {
    const expired = new ApiError(410, 'The provided continue parameter is too old');
    const { calls, waits, names } = await play([
      { list: page(['gone'], '7', 'a') },
      { list: expired },
      { list: page(['gone'], '8', 'b') },
      { list: expired },
      { list: page(['n1'], '9') },
      live,
    ]);
    expect(calls.slice(0, 5)).to.deep.equal([
      'list limit=2000',
      'list limit=2000 from=a',
      'list limit=2000',
      'list limit=2000 from=b',
      'list limit=2000',
    ]);
    expect(waits).to.deep.equal([1600]);
    expect(names()).to.deep.equal(['n1']);
  });

  it('does not go round and round with a server that answers every version with 410', async () => {
    const gone = { watch: new ApiError(410, 'too old') };
    const { waits } = await play([
      { list: page([], '7') },
      gone,
      { list: page([], '7') },
      gone,
      { list: page([], '7') },
      gone,
      { list: page([], '7') },
      gone,
    ]);
    expect(waits).to.deep.equal([1600, 3200, 6400]);
  });

  it('takes error events of any code for what they are', async () => {
    const { calls, waits, troubles } = await play([
      { list: page(['n1'], '7') },
      { watch: [{ events: [added('n2', '8'), errorEvent(500, 'etcd is ill')] }] },
      { watch: [{ events: [errorEvent(429, 'slow down', { retryAfterSeconds: 7 })] }] },
      live,
    ]);
    expect(calls.slice(2)).to.deep.equal([
      'watch from=8 for=360',
      'watch from=8 for=360',
      'watch from=8 for=360',
    ]);
    expect(waits).to.deep.equal([800, 7000]);
    expect(troubles.join()).to.match(/^HTTP 429: slow down; /);
  });

  it('obeys Retry-After', async () => {
    const { waits } = await play([
      { list: new ApiError(429, 'too many', 11_000) },
      { list: new ApiError(503, 'starting', 3000) },
      { list: page(['n1'], '7') },
      live,
    ]);
    expect(waits).to.deep.equal([11_000, 3000]);
  });

  it('asks a server that does not answer every 2 s, and starts with short waits again when it does', async () => {
    const refused = { list: new Error('connect ECONNREFUSED') };
    const busy = { list: new ApiError(503, 'starting') };
    const { waits } = await play([refused, refused, refused, refused, refused, busy, busy]);
    expect(waits).to.deep.equal([800, 1600, 2000, 2000, 2000, 800, 1600]);
  });

  it('does not ask every 2 s about a certificate or a kubeconfig that is wrong', async () => {
    const wrong = Object.assign(new Error('self-signed certificate'), { code: 'SELF_SIGNED_CERT_IN_CHAIN' });
    const none = new CredentialsError('kubeconfig /x cannot be used: ENOENT', 'put it there');
    for (const error of [wrong, none]) {
      const { waits } = await play([1, 2, 3, 4].map(() => ({ list: error })));
      expect(waits).to.deep.equal([800, 1600, 3200, 6400]);
    }
  });

  it('waits longer after each failure, up to 30 s, and forgets them after a success', async () => {
    const refused = { list: new ApiError(503, 'etcd is ill') };
    const { waits, troubles, store } = await play([
      ...[1, 2, 3, 4, 5, 6, 7].map(() => refused),
      { list: page(['n1'], '7') },
      { watch: [{ pass: minute }, { fail: new Error('read ECONNRESET') }] },
      live,
    ]);
    expect(waits).to.deep.equal([800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 800]);
    expect(troubles.join()).to.match(/^HTTP 503: etcd is ill; /);
    expect(store.feed('nodes').trouble).to.equal(undefined);
  });

  it('does not trust its version for ever: after four failures it lists', async () => {
    const { calls } = await play([
      { list: page(['n1'], '7') },
      { watch: [{ pass: minute }, { fail: new Error('torn') }] },
      ...[1, 2, 3].map(() => ({ watch: new Error('down') })),
      { list: page(['n1'], '80') },
      live,
    ]);
    expect(calls.slice(1)).to.deep.equal([
      ...[1, 2, 3, 4].map(() => 'watch from=7 for=360'),
      'list limit=2000',
      'watch from=80 for=360',
      'watch from=80 for=360',
    ]);
  });

  it('keeps the state whatever the API answers', async () => {
    const refusals = [401, 403, 429, 500].map((code) => ({ watch: new ApiError(code, 'no') }));
    const { names, store } = await play([
      { list: page(['n1', 'n2'], '7') },
      ...refusals,
      ...[401, 403, 503].map((code) => ({ list: new ApiError(code, 'no') })),
      { list: new Error('connect ECONNREFUSED') },
    ]);
    expect(names()).to.deep.equal(['n1', 'n2']);
    expect(store.feed('nodes').synced).to.equal(true);
  });

  it('delivers an empty list as it is', async () => {
    const { names } = await play([
      { list: page(['n1', 'n2'], '7') },
      { watch: new ApiError(410, 'too old') },
      { list: page([], '2') },
      live,
    ]);
    expect(names()).to.deep.equal([]);
  });

  it('tries again at once after a 401, since the transport reads the credentials anew; then it waits', async () => {
    const { waits, troubles } = await play([
      { list: new ApiError(401, 'Unauthorized') },
      { list: new ApiError(401, 'Unauthorized') },
      { list: page(['n1'], '7') },
      live,
    ]);
    expect(waits).to.deep.equal([1600]);
    expect(troubles).to.deep.equal([
      'HTTP 401: Unauthorized; the credentials are refused, also after reading them again: renew the token or certificate',
    ]);
  });

  it('says which rule is missing after a 403', async () => {
    const { troubles } = await play([
      { list: new ApiError(403, 'nodes is forbidden: User "eiproute" cannot list resource "nodes"') },
      { list: page(['n1'], '7') },
      live,
    ]);
    expect(troubles).to.deep.equal([
      'HTTP 403: nodes is forbidden: User "eiproute" cannot list resource "nodes"; its ClusterRole needs the rule { apiGroups: [""], resources: ["nodes"], verbs: ["list", "watch"] }',
    ]);
  });

  it('passes on what is wrong with the credentials and what to do', async () => {
    const { troubles } = await play([
      { list: new CredentialsError('kubeconfig /x cannot be used: ENOENT', 'put it there') },
    ]);
    expect(troubles).to.deep.equal(['kubeconfig /x cannot be used: ENOENT; put it there']);
  });

  it('calls a certificate error by its name and says what to compare', async () => {
    const error = Object.assign(new Error('self-signed certificate in certificate chain'), {
      code: 'SELF_SIGNED_CERT_IN_CHAIN',
    });
    const { troubles } = await play([{ list: error }]);
    expect(troubles[0]).to.match(
      /^self-signed certificate in certificate chain; compare certificate-authority/,
    );
  });

  it('backs off from a server that ends each watch at once', async () => {
    const { waits } = await play([{ list: page([], '7') }, { watch: [] }, { watch: [] }, { watch: [] }]);
    expect(waits).to.deep.equal([800, 1600, 3200]);
  });

  it('skips garbage in the stream and goes on', async () => {
    const { names, store, calls } = await play([
      { list: page(['n1'], '7') },
      {
        watch: [
          {
            events: [
              { type: 'ADDED', object: null },
              { type: 'MODIFIED', object: { metadata: {} } },
              added('n2', '9'),
            ],
          },
          { pass: minute },
        ],
      },
    ]);
    expect(names()).to.deep.equal(['n1', 'n2']);
    expect(store.snapshot().problems).to.have.length(1);
    expect(calls.at(-1)).to.equal('watch from=9 for=360');
  });

  for (const event of [null, {}, { type: 'SURPRISE', object: {} }]) {
    it(`takes an event like ${JSON.stringify(event)} for a broken stream`, async () => {
      const { waits } = await play([{ list: page([], '7') }, { watch: [{ events: [event] }] }, live]);
      expect(waits).to.deep.equal([800]);
    });
  }

  it('deletes what is deleted, and a new one of the same name is another', async () => {
    const { store } = await play([
      { list: page(['n1', 'n2'], '7') },
      {
        watch: [
          {
            events: [
              { type: 'DELETED', object: rawNode('n1') },
              { type: 'DELETED', object: rawNode('n2') },
            ],
          },
          { events: [{ type: 'ADDED', object: rawNode('n2', { uid: 'second' }) }] },
          { pass: minute },
        ],
      },
    ]);
    expect(store.snapshot().nodes.map(({ name, uid }) => `${name} ${uid}`)).to.deep.equal(['n2 second']);
  });

  describe('beside another one', () => {
    const down = { list: new ApiError(503, 'starting') };
    const start = 1_000_000;

    /** Plays a script for Nodes and one for Services; each ends when it is over. */
    async function playBoth(nodes: readonly Step[], services: readonly Step[]): Promise<readonly string[]> {
      const clock = new VirtualClock();
      const store = new ClusterStore();
      const recovery = recoverySignal();
      const told: string[] = [];
      const run = async (resource: 'nodes' | 'services', script: readonly Step[]): Promise<void> => {
        const stop = new AbortController();
        const transport = new ScriptedTransport(script, clock, () => stop.abort());
        transport.calls.push = (call) =>
          told.push(`${(clock.now() - start) / 1000} ${resource} ${call.split(' ')[0]}`);
        const options = {
          transport,
          store: store.of(resource),
          pace: defaultPace,
          clock,
          recovery,
          heartbeat,
        };
        await new Reflector(options).run(stop.signal);
      };
      await Promise.all([run('nodes', nodes), run('services', services)]);
      return told;
    }

    it('asks again as soon as the other one succeeds', async () => {
      const told = await playBoth(
        [down, down, down, down, down, { list: page(['n1'], '7') }, live],
        [{ list: page([], '7'), takes: 14_000 }],
      );
      expect(told.filter((call) => call.includes('nodes')).slice(0, 7)).to.deep.equal([
        '0 nodes list',
        '0.8 nodes list',
        '2.4 nodes list',
        '5.6 nodes list',
        '12 nodes list',
        '24.8 nodes list',
        '24.8 nodes watch',
      ]);
      const woken = await playBoth(
        [down, down, down, down, down, { list: page(['n1'], '7') }, live],
        [{ list: new ApiError(503, 'starting', 14_000) }, { list: page([], '7') }],
      );
      expect(woken.filter((call) => call.includes('nodes')).slice(4, 7)).to.deep.equal([
        '12 nodes list',
        '14 nodes list',
        '14 nodes watch',
      ]);
    });

    it('asks again as soon as the server that did not answer answers the other one', async () => {
      const refused = { list: new Error('connect ECONNREFUSED') };
      const told = await playBoth(
        [refused, { list: new ApiError(429, 'later', 1_000) }, { list: page([], '7') }],
        [{ list: new ApiError(503, 'starting', 60_000) }, { list: page([], '7') }],
      );
      expect(told.filter((call) => call.includes('services'))).to.deep.equal([
        '0 services list',
        '0.8 services list',
        '0.8 services watch',
      ]);
    });

    it('is not driven in circles by one that fails soon after each success', async () => {
      const flapping = (count: number): readonly Step[] =>
        Array.from({ length: count }, () => [
          { list: page([], '7') },
          { watch: new ApiError(410, 'too old') },
        ]).flat();
      const told = await playBoth(flapping(8), flapping(8));
      const lists = told.filter((call) => call.endsWith('nodes list')).map((call) => call.split(' ')[0]);
      // Each is woken once at most between two pauses that it waits to the end.
      expect(lists.slice(0, 7)).to.deep.equal(['0', '0', '1.6', '1.6', '8', '8', '33.6']);
    });
  });

  it('stops at once and for good, in the middle of anything', async () => {
    for (const step of [{ list: page(['n1'], '7'), takes: 10 }, { list: page(['n1'], '7', 'more') }]) {
      const clock = new VirtualClock();
      const store = new ClusterStore();
      const stop = new AbortController();
      const transport = new ScriptedTransport([step, step], clock, () => expect.fail('asked after the stop'));
      const recovery = recoverySignal();
      const running = new Reflector({
        transport,
        store: store.of('nodes'),
        pace: defaultPace,
        clock,
        recovery,
        heartbeat,
      }).run(stop.signal);
      stop.abort();
      await running;
      expect(transport.calls).to.have.length(1);
      expect(store.feed('nodes')).to.include({ synced: false, trouble: undefined });
    }
  });

  it('does not hide a mistake of ours behind retries', async () => {
    let caught: unknown;
    await play([{ list: new TypeError('undefined is not a function') }]).catch((error: unknown) => {
      caught = error;
    });
    expect(caught).to.be.instanceOf(TypeError);
  });
});

describe('errorOf', () => {
  it('reads a Status', () => {
    const error = errorOf({ code: 429, message: 'slow', details: { retryAfterSeconds: 2 } });
    expect(error).to.include({ status: 429, message: 'slow', retryAfter: 2000 });
    // Nothing is waited for without a pause, and nothing for hours.
    for (const nothing of [0, -5000]) expect(errorOf({}, 503, nothing).retryAfter).to.equal(undefined);
    expect(errorOf({ details: { retryAfterSeconds: 0 } }).retryAfter).to.equal(undefined);
    expect(errorOf({}, 503, 3_600_000).retryAfter).to.equal(60_000);
    expect(errorOf({ details: { retryAfterSeconds: 9_999_999 } }).retryAfter).to.equal(60_000);
  });

  for (const garbage of [null, 7, {}, { message: '' }]) {
    it(`makes do with ${JSON.stringify(garbage)}`, () => {
      expect(errorOf(garbage, 502)).to.include({ status: 502, message: 'the API server gives no reason' });
    });
  }
});
