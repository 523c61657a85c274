import { writeFile } from 'node:fs/promises';
import { expect } from 'chai';
import { at, listAt, textAt } from '../../lab/cluster/api/json.ts';
import { ready } from '../../lab/cluster/cluster.ts';
import { writeGatewayConfig } from '../../lab/eiproute/gateway-files.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needKubernetes, real } from './kind.ts';
import { LaggingApi } from './lagging-api.ts';

const lines = 'allocate: true';
/** Four addresses of each family for a dozen Services, so that most of them wait. */
const pools = ['198.51.100.8/30', '2001:db8:e::8/126'];
const names = Array.from({ length: 12 }, (_, i) => `waits-${i}`);

/** K9 of the findings: one address had two owners when the watch lagged by more than 1.3 s behind our own writes. */
describe('a real control plane whose watches lag', () => {
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
    const lost = new Set<string>();
    const served = new Set<string>();
    /** Since which second each Service waits, by its own condition. */
    const waiting = new Map<string, string>();
    const passedOver = new Set<string>();
    const serve = (name: string): void => {
      const since = waiting.get(name) ?? '';
      waiting.delete(name);
      served.add(name);
      for (const [other, earlier] of waiting) if (earlier < since) passedOver.add(`${other} by ${name}`);
    };
    // The lab's own watch does not lag, and tells the changes of all Services in the order that they had in etcd.
    const stop = cluster.feed.listen(() => {
      const owners = new Map<string, string>();
      const has = new Set<string>();
      for (const service of cluster.feed.list('Service')) {
        const name = textAt(service, 'metadata', 'name');
        const ips = listAt(service, 'status', 'loadBalancer', 'ingress').map((each) => textAt(each, 'ip'));
        for (const ip of ips) {
          const owner = owners.get(ip);
          if (owner !== undefined) twice.add(`${ip}: ${owner} and ${name}`);
          owners.set(ip, name);
        }
        if (ips.length > 0) has.add(name);
        else if (served.has(name) && at(service, 'metadata', 'deletionTimestamp') === undefined)
          lost.add(name);
        const allocated = listAt(service, 'status', 'conditions').find(
          (each) => textAt(each, 'type') === 'eiproute.io/Allocated',
        );
        if (textAt(allocated, 'status') === 'False' && !served.has(name))
          waiting.set(name, textAt(allocated, 'lastTransitionTime'));
      }
      for (const name of has) if (!served.has(name)) serve(name);
    });
    const create = (name: string): Promise<void> => cluster.createService({ name, policy: 'Cluster' }, pods);
    // The first one makes the Pod, which the others share.
    const [first = '', ...others] = names;
    await create(first);
    await Promise.all(others.map(create));
    for (const count of [4, 6, 8, 10, 12]) {
      await stage.until(`${count} have been served`, () => served.size === count);
      for (const name of [...served].slice(count - 4, count - 2)) await cluster.deleteService(name);
    }
    stop();
    expect([...twice], 'two owners').to.deep.equal([]);
    expect([...lost], 'taken back').to.deep.equal([]);
    expect([...passedOver], 'passed over').to.deep.equal([]);
  });
});
