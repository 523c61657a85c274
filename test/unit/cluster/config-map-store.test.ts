import { expect } from 'chai';
import { ConfigMapStore } from '../../../src/cluster/config-map-store.ts';

const raw = (resourceVersion: string, data: object) => ({ metadata: { uid: 'u1', resourceVersion }, data });

describe('the store of a ConfigMap', () => {
  it('has the same state, and tells nobody, when an event changes nothing that we use', async () => {
    const store = new ConfigMapStore({ namespace: 'kube-system', name: 'eiproute' });
    const stop = new AbortController();
    let told = 0;
    const listening = (async () => {
      for await (const _ of store.signal.listen(stop.signal)) told += 1;
    })();
    store.set(raw('1', { a: '1', skipped: 7 }));
    store.notify();
    await Promise.resolve();
    const { state } = store;
    store.set(raw('2', { a: '1' }));
    store.notify();
    expect(store.state).to.equal(state);
    stop.abort();
    await listening;
    expect(told).to.equal(1);
    expect([...(state.object?.data ?? [])]).to.deep.equal([['a', '1']]);
  });
});
