import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';
import { rawNode } from '../../lab/cluster/manifests.ts';
import { decodeNode } from '../../src/cluster/decode.ts';
import { run } from '../unit/cli/world.ts';
import { kind } from './api-fixture.ts';

const good = 'lan: eth0\nuplink: eth1\npools: [ { name: public, addresses: [198.51.100.0/24] } ]\n';

describe('eiproute drain NODE', () => {
  let server: ApiServer;
  let folder: string;
  before(async () => {
    server = await startApiServer();
    folder = await mkdtemp(join(tmpdir(), 'eiproute-drain-'));
    await writeFile(join(folder, 'kubeconfig'), server.kubeconfig());
    await writeFile(join(folder, 'gateway.yaml'), `${good}kubeconfig: kubeconfig\nruntimeDirectory: run\n`);
    await writeFile(join(folder, 'file.yaml'), `${good}source: { file: cluster.yaml }\n`);
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  beforeEach(() => {
    const node: object = rawNode('n1', { addresses: ['10.0.0.1'] });
    server.put(JSON.parse(JSON.stringify(node)));
  });

  const drains = (): string | undefined => {
    return decodeNode(server.objects.get(kind('Node'), '', 'n1')).object?.drain;
  };
  const eiproute = (...words: readonly string[]) => run([...words, '--config', 'gateway.yaml'], {}, folder);

  it('sets the annotation that the gateways follow, and undrain takes it away', async () => {
    const { code, stdout } = await eiproute('drain', 'n1');
    expect(code).to.equal(0);
    // No gateway runs here.
    expect(stdout).to.match(
      /^node n1 gets no new flows any more, in two seconds at most: no gateway here says when \(no gateway daemon answers at .*ENOENT.*\); eiproute status shows it\n$/,
    );
    expect(drains()).to.match(/^\S+@\S+$/);
    expect((await eiproute('drain', 'n1')).code, 'again').to.equal(0);
    expect((await eiproute('undrain', 'n1')).code).to.equal(0);
    expect(drains()).to.equal(undefined);
    await run(['drain', 'n1', '--config', 'gateway.yaml'], { SUDO_USER: 'ada' }, folder);
    expect(drains(), 'who became root').to.match(/^ada@/);
  });

  it('says that there is no such Node', async () => {
    const { code, stderr } = await eiproute('drain', 'n9');
    expect(code).to.equal(1);
    expect(stderr).to.include('there is no Node n9; kubectl get nodes');
  });

  it('says what to do without the right', async () => {
    server.faults.forbid('patch', 'nodes');
    const { code, stderr } = await eiproute('drain', 'n1');
    server.faults.allow('patch', 'nodes');
    expect(code).to.equal(1);
    expect(stderr).to.include('kubectl annotate node n1 eiproute.io/drain=true');
  });

  it('is told to wait for an API server that starts, and refuses everybody until it has read its roles', async () => {
    server.faults.refuse({ status: 403, message: 'forbidden' }, 1, /nodes/);
    server.faults.refuse({ status: 500, message: 'poststarthook/rbac/bootstrap-roles' }, 1, /readyz/);
    const { code, stderr } = await eiproute('drain', 'n1');
    server.faults.clear();
    expect(code).to.equal(1);
    expect(stderr).to.match(/HTTP 403: forbidden.*the API server is starting .*: wait/);
    expect(stderr).not.to.include('annotate');
  });

  it('is told that the cluster is a file', async () => {
    const { code, stderr } = await run(['drain', 'n1', '--config', 'file.yaml'], {}, folder);
    expect(code).to.equal(1);
    expect(stderr).to.include('set the annotation eiproute.io/drain of the Node there');
  });
});
