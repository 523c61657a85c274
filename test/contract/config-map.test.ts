import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { rulesOf } from '../../lab/cluster/api/rbac.ts';
import { startApiServer } from '../../lab/cluster/api-server.ts';
import { memoryConfigMap } from '../../lab/fake/memory-config-map.ts';
import { kubernetesConfigMap } from '../../src/cluster/kubernetes-config-map.ts';
import { defaultPace } from '../../src/cluster/reflector.ts';
import { late } from '../patience.ts';
import { kind, manifest } from './api-fixture.ts';
import { type ConfigMapFixture, configMapContract } from './config-map-suite.ts';

const name = { namespace: 'kube-system', name: 'eiproute' };
const pace = { ...defaultPace, first: 20, longest: 50, longestUnanswered: 50, settled: 20 };

/** With the rights of the shipped manifest, or of other rules. */
async function overApi(rules = rulesOf(manifest)): Promise<ConfigMapFixture> {
  const server = await startApiServer();
  const folder = await mkdtemp(join(tmpdir(), 'eiproute-map-'));
  const kubeconfig = join(folder, 'kubeconfig');
  await writeFile(kubeconfig, server.kubeconfig({ token: server.account(rules) }));
  const port = kubernetesConfigMap({ kubeconfig, context: undefined }, name, pace);
  return {
    port,
    put: async (data) => {
      server.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata: name, data });
    },
    delete: async () => {
      server.objects.delete(kind('ConfigMap'), name.namespace, name.name);
    },
    cut: () => server.stop(),
    mend: () => server.start(),
    writes: () => server.seen.filter(({ method }) => method === 'PATCH').length,
    [Symbol.asyncDispose]: async () => {
      await port[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await rm(folder, { recursive: true });
    },
  };
}

configMapContract('the embedded API server', overApi);

configMapContract('memory', async () => {
  const port = memoryConfigMap(name);
  let made = 0;
  port.put(undefined);
  return {
    port,
    put: async (data) => {
      made += 1;
      const uid = port.state.object?.uid ?? `uid-${made}`;
      port.put({ uid, data });
    },
    delete: async () => port.put(undefined),
    cut: async () => port.fail(new Error('cut off')),
    mend: async () => {},
    writes: () => port.writes.length,
    [Symbol.asyncDispose]: () => port[Symbol.asyncDispose](),
  };
});

describe('a ConfigMap without the right to read it', () => {
  it('says which right is missing', async () => {
    await using stage = await overApi(() => false);
    const { port } = stage;
    for await (const _ of port.changes(late())) if (port.state.trouble) break;
    expect(port.state).to.include({ synced: false, object: undefined });
    expect(port.state.trouble?.answered).to.equal(true);
    expect(port.state.trouble?.advice).to.equal(
      'its Role in kube-system needs the rule { apiGroups: [""], resources: ["configmaps"], resourceNames: ["eiproute"], verbs: ["list", "watch"] }',
    );
    const outcome = await port.set('own', 'x', late());
    expect(outcome).to.include({ kind: 'refused', everything: true });
  });
});
