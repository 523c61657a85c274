import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import type { Source } from '../../../src/config/config.ts';
import { GatewayClusters } from '../../../src/daemon/gateway-clusters.ts';

/** Whether each cluster shows what it knew last when it is opened; its API cannot be reached. */
async function remembered(of: (kubeconfig: string) => Source, ...files: readonly string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'eiproute-clusters-'));
  try {
    for (const file of files) await writeFile(join(folder, file), 'eiproute-cluster-log 2\n');
    const source = of(join(folder, 'kubeconfig'));
    await using clusters = new GatewayClusters({ source, stateDirectory: folder, believed: () => true });
    return clusters.each.map(({ cluster }) => cluster.overview().remembered ?? false);
  } finally {
    await rm(folder, { recursive: true });
  }
}

describe('the clusters of a gateway', () => {
  it('show nothing at first when there is one: what was known last may not be needed', async () => {
    const one = (kubeconfig: string): Source => ({ kind: 'kubernetes', kubeconfig, context: undefined });
    expect(await remembered(one, 'cluster.json')).to.deep.equal([false]);
  });

  it('show at once what was known last when there are several: one must not take the EIPs of another', async () => {
    const two = (kubeconfig: string): Source => ({
      kind: 'clusters',
      clusters: ['east', 'west'].map((name) => ({ name, kubeconfig, context: undefined })),
    });
    expect(await remembered(two, 'cluster-east.json', 'cluster-west.json')).to.deep.equal([true, true]);
  });
});
