import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryCluster } from '../../lab/fake/memory-cluster.ts';
import { remembered } from '../../src/cluster/remembered.ts';
import { clusterContract } from './cluster-suite.ts';

clusterContract('memory, remembered', 'event', async (world) => {
  const folder = await mkdtemp(join(tmpdir(), 'eiproute-remembered-'));
  const source = memoryCluster();
  const cluster = remembered(source, join(folder, 'cluster.json'));
  source.set(...world);
  source.complete();
  return {
    cluster,
    set: async (...objects) => source.set(...objects),
    delete: async (...objects) => source.delete(...objects),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
});
