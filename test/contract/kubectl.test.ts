import { execFile, spawnSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { stringify } from 'yaml';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';

const run = promisify(execFile);

const web = [
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { type: 'LoadBalancer', ports: [{ name: 'http', port: 80 }], selector: { app: 'web' } },
  },
  {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: 'web-1', labels: { 'kubernetes.io/service-name': 'web' } },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080 }],
    endpoints: [{ addresses: ['10.1.0.1'], nodeName: 'n1', conditions: { ready: true } }],
  },
];

describe('kubectl with the embedded API server', () => {
  let server: ApiServer;
  let folder: string;
  let kubectl: (line: string) => Promise<string>;

  before(async function () {
    if (spawnSync('kubectl', ['version', '--client']).status !== 0) {
      process.stdout.write('    skipped: kubectl is not installed\n');
      this.skip();
    }
    folder = await mkdtemp(join(tmpdir(), 'eiproute-kubectl-'));
    server = await startApiServer();
    server.put({
      kind: 'Node',
      metadata: { name: 'n1' },
      status: {
        addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
        conditions: [{ type: 'Ready', status: 'True' }],
        nodeInfo: { kubeletVersion: 'v1.34.0' },
      },
    });
    const kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, server.kubeconfig());
    await writeFile(join(folder, 'web.yaml'), web.map((object) => `---\n${stringify(object)}`).join(''));
    const env = { ...process.env, KUBECONFIG: kubeconfig, HOME: folder };
    kubectl = async (line) => {
      const { stdout, stderr } = await run('kubectl', line.split(' '), { cwd: folder, env });
      return `${stdout}${stderr}`.trim().replaceAll(/ +/g, ' ');
    };
  });

  after(async () => {
    // What `before` skipped was never made.
    await server?.[Symbol.asyncDispose]();
    if (folder !== undefined) await rm(folder, { recursive: true });
  });

  it('shows nodes with their addresses', async () => {
    expect(await kubectl('get nodes -o wide')).to.match(/n1 Ready <none> \d+s v1.34.0 10.0.0.1 <none>/);
  });

  it('applies, twice', async () => {
    expect(await kubectl('apply -f web.yaml')).to.match(
      /service\/web created\nendpointslice\S+\/web-1 created/,
    );
    expect(await kubectl('apply -f web.yaml')).to.match(/service\/web unchanged\n/);
    expect(await kubectl('get service web')).to.match(/web LoadBalancer 10.96.\S+ <pending> 80:30001\/TCP/);
  });

  it('patches the status, and nothing but the status, by the subresource', async () => {
    const patch =
      '{"spec":{"sessionAffinity":"ClientIP"},"status":{"loadBalancer":{"ingress":[{"ip":"198.51.100.10"}]}}}';
    await kubectl(`patch service web --subresource=status --type=merge -p ${patch}`);
    expect(await kubectl('get service web')).to.match(/web LoadBalancer \S+ 198.51.100.10 80/);
    expect(await kubectl('describe service web')).to.contain('Session Affinity: None');
    await kubectl(`patch service web --type=merge -p ${patch.replace('198.51.100.10', '198.51.100.11')}`);
    expect(await kubectl('get service web')).to.match(/web LoadBalancer \S+ 198.51.100.10 80/);
    expect(await kubectl('describe service web')).to.contain('Session Affinity: ClientIP');
  });

  it('describes a Service with its endpoints', async () => {
    const text = await kubectl('describe service web');
    expect(text).to.contain('LoadBalancer Ingress: 198.51.100.10').and.to.contain('Endpoints: 10.1.0.1:8080');
  });

  it('describes a Node', async () => {
    expect(await kubectl('describe node n1')).to.contain('InternalIP: 10.0.0.1');
  });

  it('labels, annotates and taints', async () => {
    await kubectl('label node n1 node.kubernetes.io/exclude-from-external-load-balancers=true');
    await kubectl('annotate service web eiproute.io/note=x');
    await kubectl('taint node n1 ToBeDeletedByClusterAutoscaler=:NoSchedule');
    expect(await kubectl('get node n1 -o jsonpath={.metadata.labels}{.spec.taints}')).to.equal(
      '{"node.kubernetes.io/exclude-from-external-load-balancers":"true"}[{"effect":"NoSchedule","key":"ToBeDeletedByClusterAutoscaler"}]',
    );
  });

  it('creates, in protobuf', async () => {
    expect(await kubectl('create namespace shop')).to.equal('namespace/shop created');
    expect(await kubectl('create service loadbalancer cart --tcp=80:8080 -n shop')).to.equal(
      'service/cart created',
    );
    expect(await kubectl('get service cart -n shop -o jsonpath={.spec.ports}')).to.equal(
      '[{"name":"80-8080","nodePort":30002,"port":80,"protocol":"TCP","targetPort":8080}]',
    );
    const refused = await kubectl('create service clusterip x --tcp=80 -n nowhere').catch(String);
    expect(refused).to.contain('namespaces "nowhere" not found');
  });

  it('deletes and waits for it', async () => {
    expect(await kubectl('delete service web')).to.equal('service "web" deleted');
    expect(await kubectl('delete namespace shop')).to.equal('namespace "shop" deleted');
    expect(await kubectl('get services -A')).to.equal('No resources found');
  });

  it('prints a List that the file source reads', async () => {
    const text = await kubectl('get services,endpointslices,nodes -A -o json');
    expect(JSON.parse(text).items.map((item: { kind: string }) => item.kind)).to.deep.equal([
      'EndpointSlice',
      'Node',
    ]);
  });

  it('hears of a wrong token', async () => {
    server.accept('another');
    expect(await kubectl('get nodes').catch(String)).to.match(/Unauthorized|logged in/);
  });
});
