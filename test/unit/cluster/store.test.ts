import { expect } from 'chai';
import { rawNode, rawService, rawSlice } from '../../../lab/cluster/manifests.ts';
import { JoinedServices } from '../../../src/cluster/joined-services.ts';
import { ClusterStore, resources } from '../../../src/cluster/store.ts';
import type { Delta, Resource, Snapshot } from '../../../src/model/cluster.ts';

/** A store, how often its listeners would have been notified, and of what at last. */
function counted(): { store: ClusterStore; notified: () => number; last: () => Delta | undefined } {
  const store = new ClusterStore();
  const deltas: Delta[] = [];
  store.signal.notify = (delta) => {
    deltas.push(delta);
  };
  return { store, notified: () => deltas.length, last: () => deltas.at(-1) };
}

function delta(...services: readonly string[]): Pick<Delta, 'services' | 'nodes'> {
  return { services: new Set(services), nodes: false };
}

/** A new list of a resource takes the place of the former one. */
async function list(store: ClusterStore, resource: Resource, ...objects: readonly object[]): Promise<void> {
  const replacement = store.indexes[resource].replacement();
  for (const object of objects) replacement.add(object);
  await store.commit(replacement, async () => {});
  store.notify();
}

function filled(): ReturnType<typeof counted> {
  const made = counted();
  const { nodes, services, endpointslices } = made.store.indexes;
  for (const name of ['n1', 'n2']) nodes.set(rawNode(name));
  for (const name of ['api', 'web']) {
    services.set(rawService(name));
    endpointslices.set(rawSlice(name, [{ ip: '10.1.0.1', node: 'n1' }]));
  }
  for (const resource of resources) made.store.state(resource, { synced: true });
  made.store.notify();
  return made;
}

const named = (store: ClusterStore, name: string) =>
  store.snapshot().services.find((each) => each.name === name);

describe('the store', () => {
  it('joins a Service with all its slices, whichever comes first', () => {
    const { store } = counted();
    const { services, endpointslices } = store.indexes;
    endpointslices.set(rawSlice('web', [{ ip: '10.1.0.2' }], 'web-a'));
    services.set(rawService('web'));
    endpointslices.set(rawSlice('web', [{ ip: '10.1.0.1' }], 'web-b'));
    endpointslices.set(rawSlice('web', [{ ip: '10.9.0.1' }], 'web-a', 'other'));
    expect(named(store, 'web')?.endpoints.map(({ ip }) => ip)).to.deep.equal(['10.1.0.1', '10.1.0.2']);
  });

  for (const first of [true, false]) {
    it(`lets ready win over slices as well (${first ? 'ready' : 'not ready'} first)`, () => {
      const { store } = counted();
      const { services, endpointslices } = store.indexes;
      services.set(rawService('web'));
      endpointslices.set(rawSlice('web', [{ ip: '10.1.0.1', node: 'n1', ready: first }], 'web-a'));
      endpointslices.set(rawSlice('web', [{ ip: '10.1.0.1', node: 'n2', ready: !first }], 'web-b'));
      expect(named(store, 'web')?.endpoints.map(({ node }) => node)).to.deep.equal([first ? 'n1' : 'n2']);
    });
  }

  it('takes the endpoints away with their slice, or with its label', () => {
    const { store } = filled();
    const { endpointslices } = store.indexes;
    endpointslices.set({ metadata: { name: 'web-x1', namespace: 'default' }, endpoints: [] });
    endpointslices.delete(rawSlice('api', []));
    expect(store.snapshot().services.map(({ endpoints }) => endpoints.length)).to.deep.equal([0, 0]);
  });

  describe('knows the EndpointSlices of a Service', () => {
    const known = (store: ClusterStore): readonly string[] =>
      store.snapshot().services.flatMap(({ name, slicesKnown }) => (slicesKnown ? [name] : []));
    const slice = (of: string, name: string): object => rawSlice(of, [{ ip: '10.1.0.1', node: 'n1' }], name);

    it('unless none has come yet', () => {
      const { store } = counted();
      store.indexes.services.set(rawService('web'));
      expect(known(store)).to.deep.equal([]);
      store.indexes.endpointslices.set(rawSlice('web', []));
      expect(known(store)).to.deep.equal(['web']);
      store.indexes.services.set(rawService('web', { eips: ['198.51.100.99'] }));
      expect(known(store)).to.deep.equal(['web']);
    });

    it('when the watch has deleted them all', () => {
      const { store } = filled();
      store.indexes.endpointslices.delete(rawSlice('api', []));
      expect(named(store, 'api')?.endpoints).to.deep.equal([]);
      expect(known(store)).to.deep.equal(['api', 'web']);
    });

    it('unless a list lacks all of them', async () => {
      const { store } = filled();
      await list(store, 'endpointslices', rawSlice('web', []));
      expect(known(store)).to.deep.equal(['web']);
      await list(store, 'endpointslices', rawSlice('web', []), rawSlice('api', []));
      expect(known(store)).to.deep.equal(['api', 'web']);
    });

    it('unless a list lacks one of several, until that one is there again', async () => {
      const { store } = filled();
      await list(
        store,
        'endpointslices',
        slice('web', 'web-a'),
        slice('web', 'web-b'),
        slice('api', 'api-a'),
      );
      await list(store, 'endpointslices', slice('web', 'web-b'), slice('api', 'api-a'));
      expect(known(store), 'without web-x1 and web-a').to.deep.equal([]);
      store.indexes.endpointslices.set(slice('web', 'web-b'));
      expect(known(store)).to.deep.equal([]);
      store.indexes.endpointslices.set(slice('web', 'web-a'));
      store.indexes.endpointslices.set(slice('web', 'web-x1'));
      store.indexes.endpointslices.set(slice('api', 'api-x1'));
      expect(known(store)).to.deep.equal(['api', 'web']);
    });

    it('anew once the Service was deleted with them', async () => {
      const { store } = filled();
      await list(store, 'endpointslices', rawSlice('api', []));
      store.indexes.services.delete(rawService('web'));
      store.indexes.services.set(rawService('web'));
      expect(known(store), 'no slice yet').to.deep.equal(['api']);
      store.indexes.endpointslices.set(slice('web', 'web-new'));
      expect(known(store)).to.deep.equal(['api', 'web']);
    });

    it('as before when a list lacks only the Service for a while', async () => {
      const { store } = filled();
      await list(store, 'endpointslices', slice('web', 'web-a'), slice('web', 'web-b'));
      await list(store, 'endpointslices', slice('web', 'web-b'));
      await list(store, 'services');
      await list(store, 'services', rawService('web'));
      expect(known(store)).to.deep.equal([]);
    });
  });

  describe('says which changes came as events', () => {
    const byEvent = ({ last }: ReturnType<typeof counted>): unknown => {
      const { services, nodes } = last()?.byEvent ?? {};
      return { services: [...(services ?? [])].sort(), nodes };
    };

    it('of the watch: added, changed and deleted', () => {
      const made = filled();
      const { services, endpointslices, nodes } = made.store.indexes;
      services.delete(rawService('api'));
      endpointslices.set(rawSlice('web', []));
      services.set(rawService('new'));
      nodes.delete(rawNode('n2'));
      made.store.notify();
      expect(byEvent(made)).to.deep.equal({
        services: ['default/api', 'default/new', 'default/web'],
        nodes: true,
      });
    });

    it('and not with a list', async () => {
      const made = filled();
      await list(made.store, 'services', rawService('web'));
      expect(made.last()).to.deep.include(delta('default/api'));
      expect(byEvent(made)).to.deep.equal({ services: [], nodes: false });
      await list(made.store, 'nodes', rawNode('n1'));
      expect(made.last()).to.deep.include({ nodes: true });
      expect(byEvent(made)).to.deep.equal({ services: [], nodes: false });
      await list(made.store, 'endpointslices', rawSlice('web', []));
      expect(made.last()).to.deep.include(delta('default/web'));
      expect(byEvent(made)).to.deep.equal({ services: [], nodes: false });
    });
  });

  it('gives the same snapshot while nothing has changed', () => {
    const { store, notified } = filled();
    const before = store.snapshot();
    store.notify();
    expect(store.snapshot()).to.equal(before);
    expect(notified()).to.equal(1);
  });

  it('does nothing at all for heartbeats and other fields that do not count', () => {
    const { store, notified } = filled();
    const before = store.snapshot();
    const { nodes, services, endpointslices } = store.indexes;
    nodes.set(rawNode('n1', { heartbeat: 'b', labels: { new: 'label' }, resourceVersion: '77' }));
    services.set(rawService('web', { resourceVersion: '78', spec: { publishNotReadyAddresses: true } }));
    endpointslices.set(rawSlice('web', [{ ip: '10.1.0.1', node: 'n1', ready: true }]));
    store.notify();
    expect(store.snapshot()).to.equal(before);
    expect(notified()).to.equal(1);
  });

  it('changes only the Service that an event is about', () => {
    const { store, notified, last } = filled();
    const before = store.snapshot();
    store.indexes.endpointslices.set(rawSlice('web', [{ ip: '10.1.0.2', node: 'n2' }]));
    store.notify();
    const after = store.snapshot();
    expect(notified()).to.equal(2);
    expect(last()).to.deep.include(delta('default/web'));
    expect(after.nodes).to.equal(before.nodes);
    expect(after.services).not.to.equal(before.services);
    expect(after.services[0]).to.equal(before.services[0]);
    expect(after.services[1]).not.to.equal(before.services[1]);
  });

  it('keeps the Service when its endpoints only move to another slice', () => {
    const { store, notified } = filled();
    const before = named(store, 'web');
    store.indexes.endpointslices.set(rawSlice('web', [{ ip: '10.1.0.1', node: 'n1' }], 'web-x2'));
    store.indexes.endpointslices.delete(rawSlice('web', []));
    store.notify();
    expect(named(store, 'web')).to.equal(before);
    expect(notified()).to.equal(1);
  });

  it('keeps the Service when its endpoints change while a list with the same Service is read', async () => {
    const { store, notified } = filled();
    const replacement = store.indexes.services.replacement();
    for (const name of ['api', 'web']) replacement.add(rawService(name));
    store.indexes.endpointslices.set(rawSlice('web', [{ ip: '10.1.0.7', node: 'n2' }]));
    store.notify();
    const web = store.service('default/web');
    await store.commit(replacement, async () => {});
    store.notify();
    expect(store.service('default/web')).to.equal(web);
    expect(web?.endpoints.map(({ ip }) => ip)).to.deep.equal(['10.1.0.7']);
    expect(notified()).to.equal(2);
    store.indexes.services.set(rawService('web', { eips: [] }));
    expect(store.service('default/web')).to.deep.include({ ingress: [], endpoints: web?.endpoints });
  });

  it('makes a new object of what was deleted and created again under one name', () => {
    const { store } = filled();
    const { services, nodes } = store.indexes;
    const before = store.snapshot();
    services.set(rawService('web', { uid: 'another' }));
    nodes.set(rawNode('n1', { uid: 'another' }));
    const after = store.snapshot();
    expect(after.services[1]).not.to.equal(before.services[1]);
    expect(after.services[1]?.uid).to.equal('another');
    expect(after.nodes[0]?.uid).to.equal('another');
  });

  it('does not delete an object because an earlier one of that name was deleted', () => {
    const { store } = filled();
    const { services, nodes, endpointslices } = store.indexes;
    const slice = (uid: string) => {
      const raw = JSON.parse(JSON.stringify(rawSlice('web', [{ ip: '10.1.0.1', node: 'n1' }])));
      return { ...raw, metadata: { ...raw.metadata, uid } };
    };
    services.set(rawService('web', { uid: 'second' }));
    nodes.set(rawNode('n1', { uid: 'second' }));
    endpointslices.set(slice('second'));
    services.delete(rawService('web', { uid: 'first' }));
    nodes.delete(rawNode('n1', { uid: 'first' }));
    endpointslices.delete(slice('first'));
    expect(store.service('default/web')).to.deep.include({ uid: 'second' });
    expect(store.service('default/web')?.endpoints).to.have.length(1);
    expect(store.overview().nodes.map(({ uid }) => uid)).to.deep.equal(['second', 'uid-n2']);

    services.delete(rawService('web', { uid: 'second' }));
    nodes.delete({ metadata: { name: 'n1' } });
    endpointslices.delete(slice('second'));
    expect(store.service('default/web')).to.equal(undefined);
    expect(store.overview().nodes).to.have.length(1);
    services.set(rawService('web'));
    expect(store.service('default/web')?.endpoints).to.have.length(0);
  });

  it('keeps identity over a new list, and takes away what is not in it', async () => {
    const { store, notified } = filled();
    const before = store.snapshot();
    const replacement = store.indexes.services.replacement();
    replacement.add(rawService('web', { resourceVersion: '99' }));
    replacement.add(rawService('new'));
    expect(store.snapshot(), 'before it is whole').to.equal(before);
    await store.commit(replacement, async () => {});
    store.notify();
    const after = store.snapshot();
    expect(after.services.map(({ name }) => name)).to.deep.equal(['new', 'web']);
    expect(after.services[1]).to.equal(before.services[1]);
    expect(notified()).to.equal(2);
  });

  it('calls a list a change of any Service until every resource was listed', async () => {
    const { store, last, notified } = counted();
    await list(store, 'services', rawService('web'));
    expect(last()).to.deep.include({ services: 'all', nodes: false });
    store.state('services', { synced: true });
    store.indexes.services.set(rawService('event'));
    store.notify();
    expect(last()).to.deep.include(delta('default/event'));
    store.state('nodes', { synced: true });
    await list(store, 'endpointslices', rawSlice('web', [{ ip: '10.1.0.1' }]));
    expect(last()).to.deep.include({ services: 'all' });
    store.state('endpointslices', { synced: true });
    store.notify();
    const before = notified();
    await list(store, 'services', rawService('web'), rawService('event'));
    expect(notified(), 'nothing has changed').to.equal(before);
    await list(store, 'services', rawService('web'));
    expect(last()).to.deep.include(delta('default/event'));
  });

  it('shows the old state until a long list is all in place, and then yields all changes', async () => {
    const { store, notified, last } = filled();
    const before = store.snapshot();
    const replacement = store.indexes.nodes.replacement();
    for (let index = 0; index < 1200; index += 1) replacement.add(rawNode(`m${index}`));
    let turns = 0;
    await store.commit(replacement, async () => {
      turns += 1;
      store.indexes.services.set(rawService(`meanwhile${turns}`));
      store.notify();
      expect(store.snapshot()).to.equal(before);
      expect(notified()).to.equal(1);
    });
    expect(turns).to.equal(2);
    store.notify();
    expect(notified()).to.equal(2);
    expect(last()).to.deep.include({
      services: new Set(['default/meanwhile1', 'default/meanwhile2']),
      nodes: true,
    });
    const { nodes, services } = store.snapshot();
    expect([nodes.length, services.length]).to.deep.equal([1200, 4]);
  });

  it('shows the old Services one by one and all together until a long list is all in place', async () => {
    const { store } = filled();
    const web = store.service('default/web');
    const replacement = store.indexes.services.replacement();
    for (let index = 0; index < 1200; index += 1) replacement.add(rawService(`s${index}`));
    replacement.add(rawService('api', { uid: 'another' }));
    const api = store.service('default/api');
    let turns = 0;
    await store.commit(replacement, async () => {
      turns += 1;
      store.indexes.endpointslices.set(rawSlice('api', [{ ip: `10.1.0.${turns}` }]));
      expect(store.service('default/web')).to.equal(web);
      expect(store.service('default/api')).to.equal(api);
      expect(store.service('default/s0')).to.equal(undefined);
      expect([...store.services()]).to.have.members([api, web]);
      expect(store.overview().nodes).to.have.length(2);
    });
    expect(turns).to.equal(2);
    expect(store.service('default/web')).to.equal(undefined);
    expect(store.service('default/api')).to.deep.include({ uid: 'another' });
    expect([...store.services()]).to.have.length(1201);
  });

  it('makes no array of all Services for an event or a list, only for a snapshot', async () => {
    const { store } = filled();
    store.indexes.services.set(rawService('third'));
    const { array } = JoinedServices.prototype;
    let arrays = 0;
    JoinedServices.prototype.array = function counted(this: JoinedServices) {
      arrays += 1;
      return array.call(this);
    };
    try {
      store.indexes.services.set(rawService('fourth'));
      store.notify();
      expect(store.service('default/fourth')?.name).to.equal('fourth');
      expect(store.overview().nodes).to.have.length(2);
      const replacement = store.indexes.services.replacement();
      for (const name of ['first', 'second', 'third']) replacement.add(rawService(name));
      await store.commit(replacement, () => Promise.resolve());
      expect([...store.services()]).to.have.length(3);
      expect(arrays).to.equal(0);
      expect(store.snapshot().services).to.have.length(3);
      expect(arrays).to.equal(1);
    } finally {
      JoinedServices.prototype.array = array;
    }
  });

  it('gives a snapshot of the former state in the middle of a commit, sorted and made once', async () => {
    const { store } = filled();
    const before = store.snapshot().services.map(({ name }) => name);
    const replacement = store.indexes.services.replacement();
    for (let index = 0; index < 1200; index += 1) replacement.add(rawService(`s${index}`));
    store.indexes.services.set(rawService('later'));
    const seen: Snapshot[] = [];
    await store.commit(replacement, () => {
      seen.push(store.snapshot());
      return Promise.resolve();
    });
    const [first, ...others] = seen;
    expect(first?.services.map(({ name }) => name)).to.deep.equal([...before, 'later'].sort());
    expect(others).to.not.be.empty;
    for (const other of others) expect(other).to.equal(first);
  });

  it('shows no Service in the middle of the first list of them', async () => {
    const store = new ClusterStore();
    const replacement = store.indexes.services.replacement();
    for (let index = 0; index < 1200; index += 1) replacement.add(rawService(`s${index}`));
    const seen: unknown[] = [];
    await store.commit(replacement, () => {
      const [shown] = store.services();
      seen.push(shown, store.service('default/s1'), store.snapshot().services[0]);
      return Promise.resolve();
    });
    expect(seen).to.deep.equal(new Array(seen.length).fill(undefined)).and.not.be.empty;
    expect(store.service('default/s1')).to.not.equal(undefined);
    expect([...store.services()]).to.have.length(1200);
  });

  it('shows the truth again when a commit is broken off', async () => {
    const { store } = filled();
    const replacement = store.indexes.nodes.replacement();
    for (let index = 0; index < 600; index += 1) replacement.add(rawNode(`m${index}`));
    const broken = await store
      .commit(replacement, () => Promise.reject(new Error('stop')))
      .catch((error: Error) => error.message);
    expect(broken).to.equal('stop');
    store.indexes.services.set(rawService('later'));
    expect(named(store, 'later')).not.to.equal(undefined);
  });

  it('shows with the next list what a commit that was broken off has not reached', async () => {
    const { store } = filled();
    const nodes = Array.from({ length: 600 }, (_, index) => rawNode(`m${index}`));
    const replacement = store.indexes.nodes.replacement();
    for (const node of nodes) replacement.add(node);
    await store.commit(replacement, () => Promise.reject(new Error('stop'))).catch(() => {});
    expect(store.overview().nodes).to.have.length.below(600);
    await list(store, 'nodes', ...nodes);
    expect(store.overview().nodes).to.have.length(600);
  });

  it('changes nothing when a new list says the same', async () => {
    const { store, notified } = filled();
    const before = store.snapshot();
    const replacement = store.indexes.nodes.replacement();
    for (const name of ['n2', 'n1']) replacement.add(rawNode(name, { heartbeat: 'later' }));
    await store.commit(replacement, async () => {});
    store.notify();
    expect(store.snapshot()).to.equal(before);
    expect(notified()).to.equal(1);
  });

  it('keeps what it knew of an object that cannot be read any more, and says so once', () => {
    const { store, notified } = filled();
    const before = named(store, 'web');
    const broken = { metadata: { name: 'web', namespace: 'default' } };
    for (let round = 0; round < 3; round += 1) {
      store.indexes.services.set(broken);
      store.notify();
    }
    expect(named(store, 'web')).to.equal(before);
    expect(store.snapshot().problems.map(({ subject }) => subject)).to.deep.equal(['Service default/web']);
    expect(notified()).to.equal(2);
    store.indexes.services.set(rawService('web'));
    expect(store.snapshot().problems).to.deep.equal([]);
  });

  it('keeps what it knew of an object that is in a new list but cannot be read', async () => {
    const { store } = filled();
    const before = store.snapshot();
    const replacement = store.indexes.services.replacement();
    replacement.add(rawService('api'));
    replacement.add({ metadata: { name: 'web', namespace: 'default' } });
    await store.commit(replacement, async () => {});
    expect(store.snapshot().services).to.equal(before.services);
    expect(store.snapshot().problems).to.have.length(1);
  });

  it('forgets the problems of objects that are gone', async () => {
    const { store } = filled();
    const { services } = store.indexes;
    const bad = rawService('bad', { spec: { externalIPs: ['nonsense'] } });
    services.set(bad);
    services.set(null);
    expect(store.snapshot().problems).to.have.length(2);
    services.delete(bad);
    expect(store.snapshot().problems).to.have.length(1);
    const replacement = services.replacement();
    replacement.add(rawService('web'));
    await store.commit(replacement, async () => {});
    expect(store.snapshot().problems).to.deep.equal([]);
  });

  it('is complete when every list is in', () => {
    const { store } = counted();
    const steps = resources.map((resource) => {
      store.state(resource, { synced: true });
      return store.snapshot().complete;
    });
    expect(steps).to.deep.equal([false, false, true]);
  });

  it('moves "heard" without a delta', () => {
    const { store, notified } = filled();
    const before = store.snapshot();
    store.heard('nodes', 1234);
    store.notify();
    const after = store.snapshot();
    expect(notified()).to.equal(1);
    expect(after.feeds.map(({ heard }) => heard)).to.deep.equal([undefined, undefined, 1234]);
    expect(after.services).to.equal(before.services);
  });

  it('keeps its arrays sorted through any mixture of changes', () => {
    const { store } = counted();
    const { nodes } = store.indexes;
    const held = new Set<string>();
    // A fixed linear congruential generator: the same walk each time.
    let seed = 20_261_120;
    for (let step = 0; step < 600; step += 1) {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      const name = `n${seed % 97}`;
      if (seed % 3 === 0) {
        nodes.delete({ metadata: { name } });
        held.delete(name);
      } else {
        nodes.set(rawNode(name, { uid: String(step) }));
        held.add(name);
      }
      // Now a few changes at a time, now many.
      if (step % 7 < 5 || step === 599) {
        expect(store.snapshot().nodes.map((node) => node.name)).to.deep.equal([...held].sort());
      }
    }
  });

  describe('knows versions', () => {
    const at = (resourceVersion: string, rest: object = {}) =>
      rawService('web', { resourceVersion, ...rest });
    const versions = (store: ClusterStore): readonly [string | undefined, readonly string[] | undefined] => {
      const web = named(store, 'web');
      return [web && store.version(web), web?.ingress];
    };

    it('that move while the Service stays the same', () => {
      const { store } = counted();
      store.indexes.services.set(at('1'));
      const before = named(store, 'web');
      store.indexes.services.set(at('2'));
      expect(named(store, 'web')).to.equal(before);
      expect(versions(store)[0]).to.equal('2');
    });

    it('of the present Service only, never of an older state of it', () => {
      const { store } = counted();
      store.indexes.services.set(at('1'));
      const before = named(store, 'web');
      store.indexes.services.set(at('2', { eips: ['198.51.100.11'] }));
      expect(before && store.version(before)).to.equal(undefined);
    });

    it('and takes an answer for the next one, and no older event of the watch', async () => {
      const { store, notified } = counted();
      store.indexes.services.set(at('1', { eips: [] }));
      store.answer(at('2'), '1');
      expect(versions(store)).to.deep.equal(['2', ['198.51.100.10']]);
      expect(notified()).to.equal(1);
      store.indexes.services.set(at('1', { eips: [] }));
      expect(versions(store)).to.deep.equal(['2', ['198.51.100.10']]);
      const replacement = store.indexes.services.replacement();
      replacement.add(at('1', { eips: [] }));
      await store.commit(replacement, async () => {});
      expect(versions(store), 'after a list that is older').to.deep.equal(['2', ['198.51.100.10']]);
      store.indexes.services.set(at('1', { eips: [] }));
      expect(versions(store), 'after that list').to.deep.equal(['2', ['198.51.100.10']]);
      store.indexes.services.set(at('3', { eips: [] }));
      expect(versions(store)).to.deep.equal(['3', []]);
    });

    it('and takes an answer that comes in while a list is being read', async () => {
      const { store } = counted();
      store.indexes.services.set(at('1', { eips: [] }));
      const replacement = store.indexes.services.replacement();
      replacement.add(at('1', { eips: [] }));
      store.answer(at('2'), '1');
      await store.commit(replacement, async () => {});
      expect(versions(store)).to.deep.equal(['2', ['198.51.100.10']]);
    });

    it('that go with what is shown while a list is committed', async () => {
      const { store } = counted();
      store.indexes.services.set(at('1', { eips: [] }));
      const replacement = store.indexes.services.replacement();
      for (let index = 0; index < 600; index += 1) replacement.add(rawService(`s${index}`));
      replacement.add(at('2'));
      const seen: unknown[] = [];
      await store.commit(replacement, async () => {
        seen.push(versions(store));
      });
      expect(seen, 'in the only turn').to.deep.equal([['1', []]]);
      expect(versions(store)).to.deep.equal(['2', ['198.51.100.10']]);
    });

    it('and has no use for an answer that comes after the watch', () => {
      const { store } = counted();
      store.indexes.services.set(at('1', { eips: [] }));
      store.indexes.services.set(at('3', { eips: ['198.51.100.12'] }));
      store.answer(at('2'), '1');
      expect(versions(store)).to.deep.equal(['3', ['198.51.100.12']]);
      store.indexes.services.delete(at('3'));
      store.answer(at('4'), '3');
      expect(versions(store)).to.deep.equal([undefined, undefined]);
    });
  });
});
