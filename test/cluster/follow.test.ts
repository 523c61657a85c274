import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { at, type JsonObject, objectAt, textAt } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import { DaemonProcess, program } from '../../lab/eiproute/daemon-process.ts';
import { gatewayFiles, writeGatewayConfig } from '../../lab/eiproute/gateway-files.ts';
import { startAgent } from '../../lab/eiproute/node-agents.ts';
import { type Lab, openLab } from '../../lab/lab.ts';
import { removeLeftovers } from '../../lab/network/lab-run.ts';
import { api, eip, gateway, pools } from '../../lab/network/map.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { readPublication, readTold } from '../../src/model/publication.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';

const map = { kind: 'ConfigMap', namespace: 'kube-system', name: 'eiproute' };
const told = 'eiproute.io/agent';

/** The rights are those of docs/rbac.yaml and docs/rbac-node.yaml, as they are shipped. */
describe('agents that follow a gateway, on a real Kubernetes', function () {
  this.timeout(120_000);
  const stack = new AsyncDisposableStack();
  let lab: Lab;
  const daemons: DaemonProcess[] = [];
  before(async function () {
    await needKubernetes(this);
    await removeLeftovers();
    lab = stack.use(await openLab({ nodes: 2, gateways: 1, nodeRouting: 'by agents' }, real('played')));
    stack.defer(async () => {
      for (const daemon of daemons) await daemon[Symbol.asyncDispose]();
    });
    for (const [i, name] of lab.network.nodes.entries()) await lab.network.addPod(`web-${i + 1}`, name);
    await lab.cluster.createService(
      { name: 'shop', policy: 'Cluster', eip: eip(1) },
      ready(lab.network.pods),
    );
    await writeGatewayConfig(files(), { lines: '' });
    await lab.cluster.writeKubeconfig(files().kubeconfig);
    await start();
    await until('the gateway is OK', () => isOk('gateway'));
  });
  after(() => stack.disposeAsync());

  const files = () => gatewayFiles(join(lab.network.folder, 'gateway'));

  /** Starts the gateway and all agents; those that run are killed. */
  async function start(): Promise<void> {
    for (const daemon of daemons.splice(0)) await daemon.kill('SIGKILL', late());
    const namespace = lab.network.namespace('gateway');
    const { config, log } = files();
    daemons.push(await DaemonProcess.start({ namespace, role: 'gateway', config, log }));
    for (const name of lab.network.nodes) {
      const folder = join(lab.network.folder, name);
      await mkdir(folder, { recursive: true });
      await lab.cluster.writeNodeKubeconfig(join(folder, 'kubeconfig'));
      daemons.push(await startAgent(lab.network, name, `follow: { kubeconfig: kubeconfig, node: ${name} }`));
    }
  }

  const until = (what: string, holds: () => Promise<boolean>): Promise<true> =>
    waitFor(what, async () => ((await holds()) ? true : undefined), late());

  async function isOk(part: string): Promise<boolean> {
    const config = part === 'gateway' ? files().config : join(lab.network.folder, part, 'node.yaml');
    const argv = [program, 'status', '--config', config];
    return (await lab.network.outcome(part, { argv })).status === 0;
  }

  const nodeOf = (name: string): Promise<JsonObject> => lab.cluster.client.get({ kind: 'Node', name });

  it('take what it publishes, and tell what they serve', async () => {
    for (const name of lab.network.nodes) await until(`the agent of ${name} is OK`, () => isOk(name));
    const data = objectAt(await lab.cluster.client.get(map), 'data');
    const published = readPublication(textAt(data, 'gateway'));
    expect(published.lan).to.deep.equal([gateway.lan.v4, gateway.lan.v6]);
    expect(published.pools).to.deep.equal([{ name: 'public', networks: pools }]);
    for (const name of lab.network.nodes) {
      // An agent tells once it knows the gateways' link-layer addresses; it may be OK before.
      const said = async (): Promise<string> => textAt(await nodeOf(name), 'metadata', 'annotations', told);
      await until(`${name} has told of the gateway`, async () => {
        const text = await said();
        return text !== '' && readTold(text).gateways.length === 2;
      });
      expect(readTold(await said()).eips, name).to.deep.equal(pools);
    }
    const argv = ['curl', '-gsS', '-m', '5', `http://${eip(1).v4}/`];
    await until('an EIP answers', async () =>
      (await lab.network.outcome('client', { argv })).out.startsWith('web-'),
    );
  });

  it('write nothing when nothing changed, over a restart of all', async () => {
    const versions = async (): Promise<readonly string[]> => {
      const objects = [
        await lab.cluster.client.get(map),
        ...(await Promise.all(lab.network.nodes.map(nodeOf))),
      ];
      return objects.map((object) => JSON.stringify(at(object, 'metadata', 'managedFields')));
    };
    const version = async (): Promise<string> =>
      textAt(await lab.cluster.client.get(map), 'metadata', 'resourceVersion');
    const before = [await version(), ...(await versions())];
    await start();
    for (const name of ['gateway', ...lab.network.nodes]) await until(`${name} is OK`, () => isOk(name));
    expect([await version(), ...(await versions())]).to.deep.equal(before);
  });

  it('may change one annotation of a Node, and nothing else', async () => {
    const kubeconfig = await readFile(join(lab.network.folder, 'node1', 'kubeconfig'), 'utf8');
    const token = /token: (\S+)/.exec(kubeconfig)?.[1];
    const patch = async (body: object, sub = ''): Promise<string> => {
      const argv = [
        'curl',
        ...['-sk', '-X', 'PATCH', '-H', `Authorization: Bearer ${token}`],
        ...['-H', 'Content-Type: application/merge-patch+json', '-d', JSON.stringify(body)],
        `https://${api.v4}:6443/api/v1/nodes/node2${sub}`,
      ];
      const answer: JsonObject = JSON.parse(await lab.network.run('node1', { argv }));
      return textAt(answer, 'kind') === 'Status' ? textAt(answer, 'message') : 'done';
    };
    const annotate = (key: string, value: string | null) => ({ metadata: { annotations: { [key]: value } } });
    const text = textAt(await nodeOf('node2'), 'metadata', 'annotations', told);
    await lab.cluster.client.patch({ kind: 'Node', name: 'node2' }, annotate('kept', 'yes'));
    // The policy is read by the API server a moment after it was made.
    await until('the policy is in force', async () => (await patch(annotate('other', 'x'))) !== 'done');
    await lab.cluster.client.patch({ kind: 'Node', name: 'node2' }, annotate('other', null));
    expect(await patch(annotate(told, text))).to.equal('done');
    const refusals = [
      annotate('other', 'x'),
      annotate('kept', null),
      annotate('kept', 'no'),
      { metadata: { labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': 'true' } } },
      { spec: { unschedulable: true } },
    ];
    for (const body of refusals)
      expect(await patch(body), JSON.stringify(body)).to.match(
        /eiproute-node may change no(thing of a Node|\s)/,
      );
    expect(await patch({ status: { addresses: [] } }, '/status')).to.match(
      /cannot patch resource "nodes\/status"/,
    );
  });
});
