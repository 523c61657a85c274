import { expect } from 'chai';
import { rawNode, rawService } from '../../lab/cluster/manifests.ts';
import { memoryCluster } from '../../lab/fake/memory-cluster.ts';
import { clusterContract } from './cluster-suite.ts';

clusterContract('memory', 'event', async (world) => {
  const cluster = memoryCluster();
  cluster.set(...world);
  cluster.complete();
  return {
    cluster,
    set: async (...objects) => cluster.set(...objects),
    delete: async (...objects) => cluster.delete(...objects),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
});

describe('the memory cluster', () => {
  it('is complete and in trouble when the test says so', () => {
    const cluster = memoryCluster(() => 7);
    cluster.set(rawNode('n1'), rawService('web'));
    expect(cluster.snapshot().complete).to.equal(false);
    cluster.complete();
    cluster.trouble('nodes', 'the API is down');
    expect(cluster.snapshot()).to.include({ complete: true });
    expect(cluster.snapshot().feeds[2]).to.deep.equal({
      resource: 'nodes',
      synced: true,
      heard: 7,
      trouble: 'the API is down',
    });
  });

  it('refuses what is no Service, EndpointSlice or Node', () => {
    expect(() => memoryCluster().set({ kind: 'Pod' })).to.throw(TypeError, 'Pod');
  });
});
