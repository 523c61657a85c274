import { expect } from 'chai';
import fc from 'fast-check';
import { rawNode, rawService, rawSlice } from '../../../lab/cluster/manifests.ts';
import { decodeNode, decodeService } from '../../../src/cluster/decode.ts';
import { decodeSlice, oncePerIp } from '../../../src/cluster/decode-slice.ts';
import { encodeService } from '../../../src/cluster/encode.ts';
import { compareIp, parseIp } from '../../../src/model/ip.ts';
import { request } from '../../scene.ts';

describe('decodeNode', () => {
  it('keeps the few fields', () => {
    const { key, object, problems } = decodeNode(
      rawNode('n1', { addresses: ['10.0.0.1', '2001:DB8::0001', '10.0.0.1'] }),
    );
    expect(key).to.equal('n1');
    expect(problems).to.deep.equal([]);
    expect(object).to.deep.equal({
      name: 'n1',
      uid: 'uid-n1',
      addresses: ['10.0.0.1', '2001:db8::1'],
      deleting: false,
      autoscalerDeletes: false,
      excludeLabel: undefined,
      networkUnavailable: false,
      notReady: false,
      unschedulable: false,
      drain: undefined,
    });
  });

  it('sees what excludes a node', () => {
    const raw = {
      metadata: {
        name: 'n1',
        deletionTimestamp: '2026-01-01T00:00:00Z',
        labels: { 'node.kubernetes.io/exclude-from-external-load-balancers': '' },
        annotations: { 'eiproute.io/drain': '' },
      },
      spec: {
        unschedulable: true,
        taints: [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }],
      },
      status: { conditions: [{ type: 'NetworkUnavailable', status: 'True' }] },
    };
    expect(decodeNode(raw).object).to.include({
      deleting: true,
      autoscalerDeletes: true,
      excludeLabel: '',
      networkUnavailable: true,
      unschedulable: true,
      drain: '',
    });
    const undrained = { metadata: { name: 'n1', annotations: { 'eiproute.io/drain': 'false' } } };
    expect(decodeNode(undrained).object).to.include({ drain: undefined, unschedulable: false });
  });

  for (const [ready, notReady] of [
    ['True', false],
    ['False', true],
    ['Unknown', true],
  ] as const) {
    it(`sees that Ready is ${ready}`, () => {
      expect(decodeNode(rawNode('n1', { ready })).object).to.include({ notReady });
    });
  }

  it('leaves out an address that is none, and says so', () => {
    const { object, problems } = decodeNode(rawNode('n1', { addresses: ['10.0.0.1%eth0', '10.0.0.2'] }));
    expect(object?.addresses).to.deep.equal(['10.0.0.2']);
    expect(problems.map(({ code, subject, node }) => ({ code, subject, node }))).to.deep.equal([
      { code: 'object-part-unreadable', subject: 'Node n1 InternalIP "10.0.0.1%eth0"', node: 'n1' },
    ]);
  });
});

describe('decodeService', () => {
  it('keeps the few fields', () => {
    const raw = rawService('web', {
      eips: ['198.51.100.11', '198.51.100.9'],
      spec: { externalIPs: ['2001:db8:e::1', '192.0.2.7'], loadBalancerClass: 'eiproute.io/gateway' },
    });
    expect(decodeService(raw)).to.deep.equal({
      key: 'default/web',
      object: {
        key: 'default/web',
        namespace: 'default',
        name: 'web',
        uid: 'uid-web',
        type: 'LoadBalancer',
        deleting: false,
        loadBalancerClass: 'eiproute.io/gateway',
        externalTrafficPolicy: 'Cluster',
        healthCheckNodePort: undefined,
        ports: [{ name: 'http', protocol: 'TCP', port: 80, nodePort: 30080 }],
        ingress: ['198.51.100.9', '198.51.100.11'],
        endpoints: [],
        slicesKnown: false,
        externalIps: ['192.0.2.7', '2001:db8:e::1'],
        request: request({ created: 0 }),
      },
      problems: [],
    });
  });

  it('keeps who may connect, and whether a client stays', () => {
    const spec = (loadBalancerSourceRanges: readonly string[]) => ({
      spec: { loadBalancerSourceRanges, sessionAffinity: 'ClientIP' },
    });
    const { object, problems } = decodeService(
      rawService(
        'web',
        spec(['192.0.2.0/24', ' 10.0.0.7/8', '2001:db8::/32', '192.0.2.0/24', '10.0.0.0/33']),
      ),
    );
    expect(object).to.deep.include({
      sessionAffinity: 'ClientIP',
      sourceRanges: ['10.0.0.0/8', '192.0.2.0/24', '2001:db8::/32'],
    });
    expect(problems.map(({ message }) => message)).to.deep.equal([
      'skipped spec.loadBalancerSourceRanges "10.0.0.0/33": its prefix length is 33; the rest of the object is used',
    ]);
    // A list that was meant to keep others out is no open door, also when it is read from our own file again.
    const closed = decodeService(rawService('web', spec(['anybody']))).object;
    expect(closed?.sourceRanges).to.deep.equal([]);
    if (closed === undefined) throw new Error('no Service');
    expect(decodeService(encodeService(closed)[0]).object?.sourceRanges).to.deep.equal([]);
    expect(decodeService(rawService('web')).object).not.to.have.any.keys('sourceRanges', 'sessionAffinity');
  });

  it('keeps which addresses a proxy has, and none that is a VIP as well', () => {
    const [a, b, c] = ['198.51.100.9', '198.51.100.10', '198.51.100.11'];
    const ingress = [
      { ip: c, ipMode: 'Proxy' },
      { ip: a, ipMode: 'Proxy' },
      { ip: a },
      { ip: b, ipMode: 'VIP' },
      { hostname: 'lb.example', ipMode: 'Proxy' },
      { ip: 'none', ipMode: 'Proxy' },
    ];
    const { object } = decodeService(rawService('web', { status: { loadBalancer: { ingress } } }));
    expect(object).to.deep.include({ ingress: [a, b, c], proxied: [c] });
    if (object === undefined) throw new Error('no Service');
    expect(decodeService(encodeService(object)[0]).object).to.deep.include({
      ingress: [a, b, c],
      proxied: [c],
    });
    expect(decodeService(rawService('web', { eips: [a] })).object).not.to.have.any.keys('proxied');
  });

  it('keeps its allocation request, and of annotations and conditions no other', () => {
    const raw = rawService('web', {
      eips: ['198.51.100.9'],
      spec: {
        clusterIPs: ['2001:db8:c::1', '10.96.0.10'],
        ipFamilyPolicy: 'PreferDualStack',
        loadBalancerIP: '198.51.100.9',
        selector: { b: '2', a: '1' },
      },
      metadata: {
        creationTimestamp: '2026-01-02T03:04:05Z',
        labels: { tier: 'public' },
        annotations: {
          'eiproute.io/pool': 'public',
          'metallb.io/allow-shared-ip': 'k',
          'other.example/x': 'y',
        },
        finalizers: ['service.kubernetes.io/load-balancer-cleanup', 'other.example/f'],
      },
      status: {
        loadBalancer: { ingress: [{ ip: '198.51.100.9' }, { hostname: 'lb.example' }] },
        conditions: [
          { type: 'other.example/Ready', status: 'True' },
          { type: 'eiproute.io/Allocated', status: 'True', reason: 'Allocated', message: 'm' },
          { type: 'eiproute.io/Odd', status: 'Perhaps' },
        ],
      },
    });
    expect(decodeService(raw).object?.request).to.deep.equal(
      request({
        created: Date.parse('2026-01-02T03:04:05Z'),
        labels: { tier: 'public' },
        annotations: { 'eiproute.io/pool': 'public', 'metallb.io/allow-shared-ip': 'k' },
        selector: { a: '1', b: '2' },
        loadBalancerIp: '198.51.100.9',
        clusterIps: ['2001:db8:c::1', '10.96.0.10'].map(parseIp),
        familyPolicy: 'PreferDualStack',
        finalizer: true,
        hostnames: ['lb.example'],
        conditions: [
          {
            type: 'eiproute.io/Allocated',
            status: 'True',
            reason: 'Allocated',
            message: 'm',
            lastTransitionTime: '',
          },
        ],
      }),
    );
  });

  for (const clusterIP of [undefined, '', 'None']) {
    it(`knows no cluster IP in ${JSON.stringify(clusterIP)}`, () => {
      const { object } = decodeService(rawService('web', { spec: { clusterIP } }));
      expect(object?.request.clusterIps).to.deep.equal([]);
    });
  }

  it('takes the defaults of the API for what is not there', () => {
    const { object } = decodeService({ metadata: { name: 'web', namespace: 'default' }, spec: {} });
    expect(object).to.include({ type: 'ClusterIP', externalTrafficPolicy: 'Cluster', uid: '' });
  });

  it('skips a bad IP of externalIPs, not the Service', () => {
    const { object, problems } = decodeService(
      rawService('web', { spec: { externalIPs: ['198.51.100.300', '192.0.2.7', 42, '::ffff:192.0.2.1'] } }),
    );
    expect(object?.externalIps).to.deep.equal(['192.0.2.7']);
    expect(problems.map((problem) => problem.subject)).to.deep.equal([
      'Service default/web spec.externalIPs "198.51.100.300"',
      'Service default/web spec.externalIPs 42',
      'Service default/web spec.externalIPs "::ffff:192.0.2.1"',
    ]);
    expect(problems[0]).to.include({
      service: 'default/web',
      advice: 'look at it with: kubectl get service web -n default -o yaml',
    });
  });

  it('takes the first thousand of externalIPs, with one problem', () => {
    const ips = Array.from({ length: 1003 }, (_, i) => `198.18.${i >> 8}.${i & 255}`);
    const decoded = (externalIPs: readonly string[]) =>
      decodeService(rawService('web', { spec: { externalIPs } }));
    const { object, problems } = decoded(ips);
    expect(object?.externalIps).to.deep.equal(ips.slice(0, 1000));
    expect(problems.map(({ subject, message }) => `${subject}: ${message}`)).to.deep.equal([
      'Service default/web spec.externalIPs after the first 1000: skipped spec.externalIPs after the first 1000: it has 1003; the rest of the object is used',
    ]);
    expect(decoded(ips.slice(0, 1000)).problems).to.deep.equal([]);
  });

  it('ignores an ingress that has only a host name', () => {
    const raw = { ...rawService('web'), status: { loadBalancer: { ingress: [{ hostname: 'lb.example' }] } } };
    expect(decodeService(raw))
      .to.deep.include({ problems: [] })
      .and.to.have.nested.property('object.ingress.length', 0);
  });

  const unreadable: readonly { name: string; raw: unknown; why: string }[] = [
    { name: 'null', raw: null, why: 'it has no metadata.name and namespace' },
    { name: 'a list', raw: [], why: 'it has no metadata.name and namespace' },
    {
      name: 'no namespace',
      raw: { metadata: { name: 'web' }, spec: {} },
      why: 'it has no metadata.name and namespace',
    },
    { name: 'no spec', raw: { metadata: { name: 'web', namespace: 'default' } }, why: 'it has no spec' },
    {
      name: 'an unknown type',
      raw: rawService('web', { spec: { type: 'Magic' } }),
      why: 'its spec.type is "Magic"',
    },
    {
      name: 'an unknown policy',
      raw: rawService('web', { spec: { externalTrafficPolicy: 7 } }),
      why: 'its spec.externalTrafficPolicy is 7',
    },
  ];
  for (const { name, raw, why } of unreadable) {
    it(`says why it skips ${name}`, () => {
      const { object, problems } = decodeService(raw);
      expect(object).to.equal(undefined);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.include({ code: 'object-unreadable', severity: 'warn' });
      expect(problems[0]?.message).to.contain(`skipped: ${why}`);
    });
  }
});

describe('decodeSlice', () => {
  const endpoint = (raw: Parameters<typeof rawSlice>[1]) =>
    decodeSlice(rawSlice('web', raw)).object?.endpoints;

  it('names its Service by the label', () => {
    expect(decodeSlice(rawSlice('web', [], 'any-name')).object?.service).to.equal('default/web');
    expect(decodeSlice({ metadata: { name: 's', namespace: 'default' } }).object?.service).to.equal(
      undefined,
    );
  });

  it('counts "ready" unset as true, and "serving" unset as "ready"', () => {
    const found = endpoint([
      { ip: '10.1.0.1', node: 'n1' },
      { ip: '10.1.0.2', ready: false },
    ]);
    expect(found).to.deep.equal([
      { ip: '10.1.0.1', node: 'n1', ready: true, serving: true, terminating: false },
      { ip: '10.1.0.2', node: undefined, ready: false, serving: false, terminating: false },
    ]);
  });

  it('keeps "serving" and "terminating" as they are', () => {
    expect(endpoint([{ ip: '10.1.0.1', ready: false, serving: true, terminating: true }])).to.deep.equal([
      { ip: '10.1.0.1', node: undefined, ready: false, serving: true, terminating: true },
    ]);
    expect(endpoint([{ ip: '10.1.0.1', ready: true, serving: false }])?.[0]).to.include({
      ready: true,
      serving: false,
    });
  });

  it('sorts by address and keeps one of each, few or many, whatever their order', () => {
    const any = fc.record({
      ip: fc.integer({ min: 1, max: 30 }).map((last) => parseIp(`10.1.0.${last}`)),
      node: fc.constantFrom(undefined, 'n1', 'n2'),
      ready: fc.boolean(),
      serving: fc.boolean(),
      terminating: fc.boolean(),
    });
    const orders = fc
      .array(any, { maxLength: 20, size: 'max' })
      .chain((all) => fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length })));
    fc.assert(
      fc.property(orders, ([all, others]) => {
        const found = oncePerIp(all);
        expect(found.map(({ ip }) => ip)).to.deep.equal(
          [...new Set(all.map(({ ip }) => ip))].sort(compareIp),
        );
        expect(oncePerIp(others)).to.deep.equal(found);
      }),
    );
  });

  for (const order of ['ready first', 'ready last']) {
    it(`lets ready win when an address is there twice, ${order}`, () => {
      const both = [
        { ip: '10.1.0.1', node: 'n1', ready: true },
        { ip: '10.1.0.1', node: 'n2', ready: false },
      ];
      expect(
        endpoint(order === 'ready first' ? both : both.reverse())?.map(({ node }) => node),
      ).to.deep.equal(['n1']);
    });
  }

  it('sorts by address', () => {
    expect(endpoint([{ ip: '10.1.0.10' }, { ip: '10.1.0.9' }])?.map(({ ip }) => ip)).to.deep.equal([
      '10.1.0.9',
      '10.1.0.10',
    ]);
  });

  it('takes one address of each endpoint, and none of names', () => {
    const raw = {
      ...rawSlice('web', []),
      endpoints: [{ addresses: ['10.1.0.1', '10.1.0.2'] }, { addresses: [] }],
    };
    expect(decodeSlice(raw).object?.endpoints.map(({ ip }) => ip)).to.deep.equal(['10.1.0.1']);
    expect(decodeSlice({ ...raw, addressType: 'FQDN' }).object?.endpoints).to.deep.equal([]);
  });

  it('has no endpoints without a port, as for pods that lack the named targetPort: kube-proxy makes nothing of it', () => {
    const raw = rawSlice('web', [{ ip: '10.1.0.1', node: 'n1' }]);
    const found = (ports: unknown): number | undefined =>
      decodeSlice({ ...raw, ports }).object?.endpoints.length;
    for (const ports of [null, [], [{ name: 'http', protocol: 'TCP' }], [{ name: 'http', port: 0 }]])
      expect(found(ports), JSON.stringify(ports)).to.equal(0);
    expect(found([{ name: 'old' }, { name: 'http', port: 8080 }])).to.equal(1);
    // In a file that a person wrote.
    expect(found(undefined)).to.equal(1);
  });

  it('skips a bad address, not the slice', () => {
    const { object, problems } = decodeSlice(rawSlice('web', [{ ip: 'node1' }, { ip: '10.1.0.1' }]));
    expect(object?.endpoints.map(({ ip }) => ip)).to.deep.equal(['10.1.0.1']);
    expect(problems[0]?.subject).to.equal('EndpointSlice default/web-x1 endpoint "node1"');
  });
});

describe('the door', () => {
  // JSON with the field names that matter in it, so that the garbage gets past the first check.
  const names = fc.constantFrom(
    'metadata',
    'name',
    'namespace',
    'uid',
    'labels',
    'spec',
    'status',
    'ports',
    'port',
    'protocol',
    'type',
    'externalIPs',
    'loadBalancer',
    'ingress',
    'ip',
    'addresses',
    'address',
    'endpoints',
    'conditions',
    'taints',
  );
  const { json } = fc.letrec<{ json: unknown }>((tie) => ({
    json: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, true, 0, -1, 1e9, '', 'web', 'True', 'InternalIP', '10.0.0.1', '\u0000'),
      fc.array(tie('json'), { maxLength: 3 }),
      fc.dictionary(names, tie('json'), { maxKeys: 6 }),
    ),
  }));

  for (const decode of [decodeNode, decodeService, decodeSlice]) {
    it(`${decode.name} never throws, and gives an object or a problem`, () => {
      fc.assert(
        fc.property(json, (raw) => {
          const { object, problems } = decode(raw);
          expect(object !== undefined || problems.length > 0).to.equal(true);
        }),
        { numRuns: 500 },
      );
    });
  }
});
