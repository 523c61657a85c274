import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { listAt, textAt } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import { writeGatewayConfig } from '../../lab/eiproute/gateway-files.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';
import { LaggingApi } from './lagging-api.ts';

const lines = 'allocate: true';
/** Four addresses of each family for a dozen Services, so that most of them wait. */
const pools = ['198.51.100.8/30', '2001:db8:e::8/126'];
/** Conditions say since which second a Service waits; the name decides between those of one second. */
const names = Array.from({ length: 12 }, (_, i) => `waits-${String(i).padStart(2, '0')}`);

/** K9 of the findings: one address had two owners when the watch lagged by more than 1.3 s behind our own writes. */
describe('a real control plane whose watches lag', function () {
  this.timeout(180_000);
  let stage: Stage;
  let proxy: LaggingApi;
  before(async function () {
    await needKubernetes(this);
    stage = await Stage.open(real('nftables'));
    await stage.layPods();
    proxy = await LaggingApi.open(stage.lab.network, stage.real, 3000);
    const { files, gateway } = stage.eiproute;
    await gateway.kill('SIGTERM', late());
    await writeGatewayConfig(files, { lines, pools });
    const token = await stage.real.client.token('kube-system', 'eiproute', 3600);
    await writeFile(files.kubeconfig, proxy.kubeconfig(token));
    await stage.eiproute.restartGateway();
    await stage.eiproute.gateway.synced(late());
  });
  after(async () => {
    await stage?.[Symbol.asyncDispose]();
    await proxy?.[Symbol.asyncDispose]();
  });

  it('K9: no address ever has two owners, and the longest waiting is served first', async () => {
    const { cluster } = stage.lab;
    // With endpoints there are three writes for a Service: finalizer, address, Serving.
    const pods = ready(stage.pods('web-1'));
    const twice = new Set<string>();
    const served = new Set<string>();
    // The lab's own watch does not lag, and tells the changes of all Services in the order that they had in etcd.
    const stop = cluster.feed.listen(() => {
      const owners = new Map<string, string>();
      for (const service of cluster.feed.list('Service')) {
        const name = textAt(service, 'metadata', 'name');
        for (const each of listAt(service, 'status', 'loadBalancer', 'ingress')) {
          const ip = textAt(each, 'ip');
          const owner = owners.get(ip);
          if (owner !== undefined) twice.add(`${ip}: ${owner} and ${name}`);
          owners.set(ip, name);
          served.add(name);
        }
      }
    });
    for (const name of names) await cluster.createService({ name, policy: 'Cluster' }, pods);
    await stage.until('four are served', () => served.size === 4);
    for (let i = 0; i < names.length; i += 2) {
      await Promise.all(names.slice(i, i + 2).map((name) => cluster.deleteService(name)));
      for (const next of names.slice(i + 4, i + 6))
        await stage.until(`${next} is served`, () => served.has(next));
    }
    stop();
    expect([...twice]).to.deep.equal([]);
    expect([...served]).to.deep.equal(names);
  });
});
