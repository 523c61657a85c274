import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { rulesOf } from '../../lab/cluster/api/rbac.ts';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';
import { rawNode } from '../../lab/cluster/manifests.ts';
import { decodeNode } from '../../src/cluster/decode.ts';
import { encodeNode } from '../../src/cluster/encode.ts';
import { kubernetesConfigMap } from '../../src/cluster/kubernetes-config-map.ts';
import { nodeAnnotation } from '../../src/cluster/node-annotation.ts';
import { RequestError } from '../../src/cluster/writer.ts';
import { parseIp, parsePrefix } from '../../src/model/ip.ts';
import { type ToldAgent, toldText } from '../../src/model/publication.ts';
import { ApiFixture, grantedBy, kind, leaseName } from './api-fixture.ts';

const told: ToldAgent = {
  eips: [parsePrefix('198.51.100.0/24')],
  gateways: [parseIp('10.0.0.1')],
  eipsAt: undefined,
  gatewaysAt: '/etc/eiproute/node.yaml:3',
};

describe('the annotation of an agent', () => {
  let server: ApiServer;
  let folder: string;
  let kubeconfig: string;
  const never = new AbortController().signal;
  before(async () => {
    server = await startApiServer();
    folder = await mkdtemp(join(tmpdir(), 'eiproute-annotation-'));
    kubeconfig = join(folder, 'kubeconfig');
    const rules = ({ verb, resource }: { verb: string; resource: string }): boolean =>
      resource === 'nodes' && (verb === 'get' || verb === 'patch');
    await writeFile(kubeconfig, server.kubeconfig({ token: server.account(rules) }));
    server.put(JSON.parse(JSON.stringify(rawNode('n1', { addresses: ['10.0.0.11'] }))));
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const of = (node: string) => nodeAnnotation({ kubeconfig, context: undefined }, node);

  it('is read and written with get and patch alone, and the gateway reads it with the Node', async () => {
    expect(await of('n1').read(never)).to.equal(undefined);
    await of('n1').write(toldText(told), never);
    expect(await of('n1').read(never)).to.equal(toldText(told));
    const { object } = decodeNode(server.objects.get(kind('Node'), '', 'n1'));
    expect(object?.agent).to.deep.equal(told);
    expect(object?.addresses).to.deep.equal(['10.0.0.11']);
    if (object) expect(decodeNode(encodeNode(object)).object).to.deep.equal(object);
  });

  it('says that there is no such Node, or which right is missing', async () => {
    await refused(() => of('n9').read(never), /^there is no Node n9$/);
    server.faults.forbid('patch', 'nodes');
    await refused(() => of('n1').write('x', never), /patch nodes: HTTP 403/, /it needs the rule/);
    server.faults.refuse({ status: 500 }, 1, /readyz/);
    await refused(() => of('n1').write('x', never), /patch nodes: HTTP 403/, /is starting .*: wait/);
    server.faults.allow('patch', 'nodes');
  });

  it('is left out with a warning where it makes no sense', async () => {
    await of('n1').write('{"version":2}', never);
    const { object, problems } = decodeNode(server.objects.get(kind('Node'), '', 'n1'));
    expect(object?.agent).to.equal(undefined);
    expect(problems.map(({ message }) => message)).to.deep.equal([
      'skipped annotation eiproute.io/agent: it is of version 2, and not of version 1; the rest of the object is used',
    ]);
  });
});

describe('docs/rbac-node.yaml', () => {
  const text = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const manifest = text('docs/rbac-node.yaml');

  it('grants all that an agent uses, and nothing that it does not', async () => {
    await using api = await ApiFixture.open(rawNode('n1', { addresses: ['10.0.0.11'] }));
    const access = await api.access(rulesOf(manifest));
    const annotation = nodeAnnotation(access, 'n1');
    const never = new AbortController().signal;
    await annotation.read(never);
    await annotation.write(toldText(told), never);
    await using map = kubernetesConfigMap(access, leaseName);
    for await (const _ of map.changes(AbortSignal.timeout(8000))) {
      if (map.state.object?.data.has('gw1')) break;
      // The watch shows what comes after the list.
      if (map.state.object) {
        const metadata = { ...leaseName };
        api.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { gw1: '' } });
      }
    }
    expect([...api.used].sort()).to.deep.equal([...grantedBy(manifest)].sort());
  });

  it('is what Ansible applies', () => {
    const objects = (path: string): unknown[] =>
      parseAllDocuments(text(path)).map((document): unknown => document.toJS());
    const copy = objects('ansible/playbooks/files/rbac-node.yaml').filter((one) => one !== null);
    expect(copy).to.deep.equal(objects('docs/rbac-node.yaml'));
  });
});

async function refused(work: () => Promise<unknown>, says: RegExp, advises = /./): Promise<void> {
  let failure: unknown;
  try {
    await work();
  } catch (error) {
    failure = error;
  }
  if (!(failure instanceof RequestError)) throw new Error('nothing was refused', { cause: failure });
  expect(failure.message).to.match(says);
  expect(failure.advice).to.match(advises);
}
