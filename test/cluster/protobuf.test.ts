import { join } from 'node:path';
import { expect } from 'chai';
import { type Dispatcher, request } from 'undici';
import type { JsonObject } from '../../lab/cluster/api/json.ts';
import { type Lab, openLab } from '../../lab/lab.ts';
import { openSession, type Session } from '../../src/cluster/credentials.ts';
import { decodeNode, decodeService } from '../../src/cluster/decode.ts';
import { decodeSlice } from '../../src/cluster/decode-slice.ts';
import { errorOf } from '../../src/cluster/failure.ts';
import { jsonWire } from '../../src/cluster/json-wire.ts';
import { protobufType, protobufWire } from '../../src/cluster/protobuf-wire.ts';
import { uidOf, versionOf } from '../../src/cluster/versions.ts';
import type { Wire } from '../../src/cluster/wire.ts';
import { needKubernetes, real } from './kind.ts';

const wires = [
  { wire: protobufWire, accept: protobufType },
  { wire: jsonWire, accept: 'application/json' },
];
const resources = [
  { resource: 'services', path: '/api/v1/services', decode: decodeService },
  { resource: 'endpointslices', path: '/apis/discovery.k8s.io/v1/endpointslices', decode: decodeSlice },
  { resource: 'nodes', path: '/api/v1/nodes', decode: decodeNode },
] as const;

/** What kube-apiserver writes in protobuf is for us what it writes in JSON. */
describe('the protobuf of a real API server', function () {
  this.timeout(120_000);
  let lab: Lab;
  let session: Session;
  before(async function () {
    await needKubernetes(this);
    lab = await openLab({ nodes: 3, nodeRouting: 'by agents' }, real('played'));
    const kubeconfig = join(lab.network.folder, 'protobuf.kubeconfig');
    await lab.cluster.writeMachineKubeconfig(kubeconfig);
    session = await openSession({ kubeconfig, context: undefined });
    for (let i = 0; i < 7; i += 1) await lab.cluster.client.create(service(i));
    for (let i = 0; i < 7; i += 1) await lab.cluster.client.create(slice(i));
    const status = {
      loadBalancer: { ingress: [{ ip: '198.51.100.7', ipMode: 'VIP' }, { hostname: 'a.example' }] },
      conditions: [
        {
          type: 'eiproute.io/Serving',
          status: 'True',
          reason: 'Routed',
          message: 'öffentlich',
          lastTransitionTime: '2026-11-26T12:00:00Z',
        },
      ],
    };
    await lab.cluster.client.patch({ kind: 'Service', name: 'p0' }, { status }, 'status');
    await lab.cluster.client.patch({ kind: 'Node', name: 'node2' }, drained);
  });
  after(async () => {
    await session?.dispatcher.destroy();
    await lab?.[Symbol.asyncDispose]();
  });

  const get = async (path: string, accept: string): Promise<Dispatcher.ResponseData> => {
    const { server, dispatcher, headers } = session;
    const answer = await request(`${server}${path}`, {
      dispatcher,
      headers: { ...(await headers()), accept },
    });
    expect(answer.headers['content-type']).to.satisfy((type: string) => type.startsWith(accept));
    return answer;
  };
  const page = async (path: string, { wire, accept }: (typeof wires)[number], resource: Resource) => {
    const { body } = await get(path, accept);
    return wire.page(Buffer.from(await body.arrayBuffer()), resource);
  };

  for (const { resource, path, decode } of resources) {
    const read = (raw: unknown) => ({ ...decode(raw), version: versionOf(raw), uid: uidOf(raw) });

    it(`lists ${resource} alike, page by page`, async () => {
      const { resourceVersion } = await page(`${path}?limit=1`, wires[0] ?? expect.fail(), resource);
      const lists = [];
      for (const wire of wires) {
        const items: unknown[] = [];
        const versions = new Set<string>();
        let query = `limit=3&resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`;
        for (let next: string | undefined = ''; next !== undefined; ) {
          const one = await page(`${path}?${query}`, wire, resource);
          items.push(...[...one.items].map(read));
          versions.add(one.resourceVersion);
          ({ next } = one);
          query = `limit=3&continue=${encodeURIComponent(next ?? '')}`;
        }
        lists.push({ items, versions: [...versions] });
      }
      const [protobuf, json] = lists;
      expect(protobuf?.items).to.have.length.at.least(3);
      expect(protobuf).to.deep.equal(json);
      expect(protobuf?.versions).to.deep.equal([resourceVersion]);
    });
  }

  it('watches alike', async () => {
    const { client } = lab.cluster;
    const from = await page('/api/v1/services?limit=1', wires[0] ?? expect.fail(), 'services');
    await client.create(service(9));
    await client.patch({ kind: 'Service', name: 'p9' }, { metadata: { labels: { new: 'yes' } } });
    await client.delete({ kind: 'Service', name: 'p9' });
    const path = `/api/v1/services?watch=true&allowWatchBookmarks=true&timeoutSeconds=5&resourceVersion=${from.resourceVersion}`;
    const watched = await Promise.all(wires.map(({ wire, accept }) => watch(path, accept, wire)));
    const [protobuf, json] = watched;
    expect(protobuf?.map(({ type, key }) => `${type} ${key}`)).to.deep.equal([
      'ADDED default/p9',
      'MODIFIED default/p9',
      'DELETED default/p9',
    ]);
    expect(protobuf).to.deep.equal(json);
  });

  /** The events of p9; bookmarks come when they like. */
  async function watch(path: string, accept: string, wire: Wire) {
    const { body } = await get(path, accept);
    const events = [];
    for await (const batch of wire.events(body, 'services')) {
      for (const event of batch) {
        const { type, object } = Object(event);
        if (type === 'BOOKMARK') expect(versionOf(object)).to.match(/^\d+$/);
        else events.push({ type, ...decodeService(object), version: versionOf(object) });
      }
    }
    return events.filter(({ key }) => key === 'default/p9');
  }

  it('refuses alike, and says when to come again', async () => {
    const queries = [
      'limit=1&continue=rubbish',
      'fieldSelector=spec.rubbish%3D1',
      'resourceVersion=99999999999',
    ];
    const waits: unknown[] = [];
    for (const query of queries) {
      const errors = [];
      for (const { wire, accept } of wires) {
        const { body, statusCode } = await get(`/api/v1/services?${query}`, accept);
        errors.push(errorOf(wire.status(Buffer.from(await body.arrayBuffer())), statusCode));
      }
      const [protobuf, json] = errors.map(({ status, message, retryAfter }) => ({
        status,
        // The version moves on between two questions.
        message: message.replace(/current: \d+/, 'current: N'),
        retryAfter,
      }));
      expect(protobuf).to.deep.equal(json);
      expect(protobuf?.status).to.be.at.least(400);
      waits.push(protobuf?.retryAfter);
    }
    expect(waits).to.deep.equal([undefined, undefined, 1000]);
  });
});

type Resource = (typeof resources)[number]['resource'];

const drained = {
  metadata: {
    annotations: { 'eiproute.io/drain': '' },
    labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' },
  },
  spec: {
    unschedulable: true,
    taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule', value: '1' }],
  },
};

function service(i: number): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: {
      name: `p${i}`,
      namespace: 'default',
      labels: { app: `p${i}`, empty: '' },
      annotations: { 'eiproute.io/pool': 'öffentlich', other: 'x'.repeat(2000) },
      finalizers: i % 2 === 0 ? ['service.kubernetes.io/load-balancer-cleanup'] : [],
    },
    spec: {
      type: ['LoadBalancer', 'NodePort', 'ClusterIP', 'ExternalName'][i % 4] ?? '',
      ...(i % 4 === 3 ? { externalName: 'x.example' } : { selector: { app: `p${i}` } }),
      ...(i % 4 === 0 ? { externalTrafficPolicy: 'Local', loadBalancerClass: 'eiproute.io/x' } : {}),
      ...(i % 4 === 3 ? {} : { ipFamilyPolicy: 'PreferDualStack', externalIPs: ['203.0.113.9'] }),
      ports: [
        { name: 'dns', port: 53, protocol: 'UDP', targetPort: 'dns' },
        { name: 'web', port: 80 },
      ],
    },
  };
}

function slice(i: number): JsonObject {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name: `p${i}-x`, namespace: 'default', labels: { 'kubernetes.io/service-name': `p${i}` } },
    addressType: ['IPv4', 'IPv6'][i % 2] ?? '',
    ports: [{ name: 'web', port: 80, protocol: 'TCP' }],
    endpoints: [
      {
        addresses: [['10.1.0.1', '2001:db8::1'][i % 2] ?? ''],
        nodeName: 'node1',
        zone: 'a',
        hints: { forZones: [{ name: 'a' }] },
        conditions: { ready: i % 2 === 0, terminating: i % 2 === 1 },
        targetRef: { kind: 'Pod', namespace: 'default', name: 'x' },
      },
      { addresses: [['10.1.0.2', '2001:db8::2'][i % 2] ?? ''] },
    ],
  };
}
