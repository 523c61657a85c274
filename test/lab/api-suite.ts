import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { at, type JsonObject, listAt, objectAt, textAt } from '../../lab/cluster/api/json.ts';
import { type ApiClient, ApiRefusal } from '../../lab/cluster/api-client.ts';
import { type Lab, type LabKind, openLab } from '../../lab/lab.ts';
import { api } from '../../lab/network/map.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { late } from '../patience.ts';
import { firstEvent } from './first-event.ts';

const finalizer = 'service.kubernetes.io/load-balancer-cleanup';

/** What both API servers do alike, as far as eiproute or a test depends on it. */
export function apiSuite(kind: LabKind): void {
  describe(`the API of a ${kind.cluster} cluster`, () => {
    let lab: Lab;
    let client: ApiClient;
    before(async () => {
      lab = await openLab({ nodes: 1, nodeRouting: 'by agents' }, kind);
      ({ client } = lab.cluster);
    });
    after(async () => {
      await lab?.[Symbol.asyncDispose]();
    });

    const ref = (name: string) => ({ kind: 'Service', name });
    const give = (name: string, ip = '198.51.100.7'): Promise<JsonObject> =>
      client.patch(ref(name), { status: { loadBalancer: { ingress: [{ ip, ipMode: 'VIP' }] } } }, 'status');
    const ingress = (object: JsonObject): readonly string[] =>
      listAt(object, 'status', 'loadBalancer', 'ingress').map((each) => textAt(each, 'ip'));

    /** What the API answers to the account of the shipped manifest. */
    const asGateway = async (path: string, ...options: readonly string[]): Promise<string> => {
      const kubeconfig = `${lab.network.folder}/weak.kubeconfig`;
      await lab.cluster.writeKubeconfig(kubeconfig);
      const token = /token: (\S+)/.exec(await readFile(kubeconfig, 'utf8'))?.[1];
      const header = ['-H', `Authorization: Bearer ${token}`];
      const argv = ['curl', '-sk', ...options, ...header, `https://${api.v4}:6443${path}`];
      return await lab.network.run('gateway', { argv });
    };

    it('takes no status with a new Service, and none by way of the Service itself', async () => {
      const status = { loadBalancer: { ingress: [{ ip: '198.51.100.7', ipMode: 'VIP' }] } };
      expect(ingress(await client.create({ ...service('born'), status }))).to.deep.equal([]);
      expect(ingress(await client.patch(ref('born'), { status }))).to.deep.equal([]);
      expect(ingress(await give('born'))).to.deep.equal(['198.51.100.7']);
    });

    it('changes nothing but the status by way of the status', async () => {
      await client.create(service('split'));
      const patch = {
        spec: { type: 'ClusterIP' },
        status: { loadBalancer: { ingress: [{ ip: '198.51.100.7', ipMode: 'VIP' }] } },
      };
      const after = await client.patch(ref('split'), patch, 'status');
      expect(textAt(after, 'spec', 'type')).to.equal('LoadBalancer');
      expect(ingress(after)).to.deep.equal(['198.51.100.7']);
    });

    it('empties the addresses of a Service that is no LoadBalancer any more, and keeps its conditions', async () => {
      await client.create(service('turned'));
      await give('turned');
      const condition = {
        type: 'eiproute.io/Allocated',
        status: 'True',
        reason: 'Allocated',
        message: '',
        lastTransitionTime: '2026-01-01T00:00:00Z',
      };
      await client.patch(ref('turned'), { status: { conditions: [condition] } }, 'status');
      const after = await client.patch(ref('turned'), {
        spec: { type: 'ClusterIP', externalTrafficPolicy: null, allocateLoadBalancerNodePorts: null },
      });
      expect(ingress(after)).to.deep.equal([]);
      expect(listAt(after, 'status', 'conditions')).to.have.length(1);
    });

    it('refuses what is no address in a status, and fills in the mode of what is', async () => {
      await client.create(service('invalid'));
      const why = await refusal(() => give('invalid', 'nonsense'));
      expect(why).to.match(/^422 .*status\.loadBalancer\.ingress\[0\]\.ip: /);
      const status = { loadBalancer: { ingress: [{ ip: '198.51.100.8' }] } };
      const after = await client.patch(ref('invalid'), { status }, 'status');
      expect(textAt(listAt(after, 'status', 'loadBalancer', 'ingress')[0], 'ipMode')).to.equal('VIP');
    });

    it('refuses a patch for another version than the present one', async () => {
      const { metadata } = await client.create(service('raced'));
      await give('raced');
      const resourceVersion = textAt(metadata, 'resourceVersion');
      const why = await refusal(() =>
        client.patch(ref('raced'), { metadata: { resourceVersion, finalizers: [finalizer] } }),
      );
      expect(why).to.match(/^409 .*the object has been modified/);
    });

    it('keeps a deleted Service until its finalizers are gone', async () => {
      const made = service('held');
      const finalizers = [finalizer];
      await client.create({ ...made, metadata: { name: 'held', namespace: 'default', finalizers } });
      await client.delete(ref('held'));
      expect(textAt(await client.get(ref('held')), 'metadata', 'deletionTimestamp')).to.not.equal('');
      await client.patch(ref('held'), { metadata: { finalizers: null } });
      expect(await client.find(ref('held'))).to.equal(undefined);
    });

    it('makes no new version of a patch that changes nothing', async () => {
      await client.create(service('same'));
      const first = await give('same');
      const second = await give('same');
      expect(textAt(second, 'metadata', 'resourceVersion')).to.equal(
        textAt(first, 'metadata', 'resourceVersion'),
      );
    });

    it('pages a list that fits together, though objects come meanwhile', async () => {
      for (let i = 0; i < 5; i += 1) await client.create(service(`paged-${i}`));
      const path = '/api/v1/services?limit=2';
      const first = await client.send('GET', path);
      const token = textAt(first, 'metadata', 'continue');
      expect(token).to.not.equal('');
      await client.create(service('a-late-one'));
      const version = textAt(first, 'metadata', 'resourceVersion');
      const names: string[] = [];
      for (let page = first; ; ) {
        names.push(...listAt(page, 'items').map((item) => textAt(item, 'metadata', 'name')));
        expect(textAt(page, 'metadata', 'resourceVersion')).to.equal(version);
        const next = textAt(page, 'metadata', 'continue');
        if (next === '') break;
        page = await client.send('GET', `${path}&continue=${encodeURIComponent(next)}`);
      }
      expect(names).to.include('paged-4');
      expect(names).to.not.include('a-late-one');
      expect(new Set(names).size).to.equal(names.length);
    });

    it('tells a watch each change after its version, in order', async () => {
      const { version } = await client.snapshot('Service', late());
      await client.create(service('watched'));
      await give('watched');
      await client.delete(ref('watched'));
      const seen: string[] = [];
      for await (const { type, object } of client.watch('Service', version, late())) {
        if (textAt(object, 'metadata', 'name') !== 'watched') continue;
        seen.push(`${type} ${ingress(object).join()}`);
        if (type === 'DELETED') break;
      }
      expect(seen).to.deep.equal(['ADDED ', 'MODIFIED 198.51.100.7', 'DELETED 198.51.100.7']);
    });

    const versionOf = (object: JsonObject | undefined): number =>
      Number(textAt(object, 'metadata', 'resourceVersion'));

    it('ends a watch in time, and bookmarks nothing that it has not told', async () => {
      const { version } = await client.snapshot('Service', late());
      const created = await client.create(service('bookmarked'));
      const query = new URLSearchParams({
        watch: 'true',
        allowWatchBookmarks: 'true',
        resourceVersion: version,
        timeoutSeconds: '4',
      });
      const lines = await asGateway(`/api/v1/namespaces/default/services?${query}`);
      const events = lines
        .trim()
        .split('\n')
        .map((line): JsonObject => JSON.parse(line));
      const [first, ...bookmarks] = events;
      expect(textAt(first, 'type')).to.equal('ADDED');
      for (const each of bookmarks) {
        expect(textAt(each, 'type')).to.equal('BOOKMARK');
        expect(versionOf(objectAt(each, 'object'))).to.be.at.least(versionOf(created));
      }
      // Kubernetes promises none at any moment: seen were two, one and none.
      if (kind.cluster === 'embedded') expect(bookmarks).to.have.length(1);
    });

    it('gives nothing to an account without rights, in words that name the right', async () => {
      const path = '/api/v1/namespaces/default/services/born';
      const answer: JsonObject = JSON.parse(await asGateway(path, '-X', 'DELETE'));
      expect(at(answer, 'code')).to.equal(403);
      expect(textAt(answer, 'message')).to.match(
        /cannot delete resource "services" in API group "" in the namespace "default"/,
      );
    });

    it('answers a version of before its restart with 410', async () => {
      const { version } = await client.snapshot('Service', late());
      await client.create(service('unheard'));
      await lab.cluster.stopApi();
      await lab.cluster.startApi();
      await client.create(service('after'));
      const first = await waitFor('the watch says something', () => firstEvent(client, version), late());
      expect(first).to.match(/^410 .*too old resource version/);
      expect(ingress(await client.get(ref('born')))).to.deep.equal(['198.51.100.7']);
      expect(at(await client.get(ref('unheard')), 'metadata', 'uid')).to.be.a('string');
    });
  });
}

async function refusal(work: () => Promise<unknown>): Promise<string> {
  try {
    await work();
  } catch (error) {
    if (error instanceof ApiRefusal) return error.message;
    throw error;
  }
  return 'nothing was refused';
}

function service(name: string): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'LoadBalancer', ports: [{ name: 'http', port: 80 }] },
  };
}
