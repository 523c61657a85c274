import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { parseAllDocuments } from 'yaml';
import { type JsonObject, listAt, textAt } from '../../lab/cluster/api/json.ts';
import { rulesOf } from '../../lab/cluster/api/rbac.ts';
import { rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { GatewayHost, kindOf, standardWorld } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

const manifest = readFileSync(new URL('../../docs/rbac.yaml', import.meta.url), 'utf8');

/** A gateway that gives addresses, with the rights of docs/rbac.yaml and no more. */
async function host(settings = 'allocate: true'): Promise<GatewayHost> {
  const made = await GatewayHost.make({ settings, world: standardWorld });
  for (const document of parseAllDocuments(manifest)) {
    const object: JsonObject = document.toJS();
    if (textAt(object, 'kind') === 'Lease') made.put(object);
  }
  await writeFile(
    join(made.folder, 'kubeconfig'),
    made.api.kubeconfig({ token: made.api.account(rulesOf(manifest)) }),
  );
  return made;
}

function service(at: GatewayHost, name: string): JsonObject {
  return at.api.objects.get(kindOf('Service'), 'default', name);
}

function ips(at: GatewayHost, name: string): string {
  const ingress = listAt(service(at, name), 'status', 'loadBalancer', 'ingress');
  return ingress.map((item) => textAt(item, 'ip')).join(' ');
}

function conditions(at: GatewayHost, name: string): readonly string[] {
  return listAt(service(at, name), 'status', 'conditions').map(
    (item) => `${textAt(item, 'type')} ${textAt(item, 'status')} ${textAt(item, 'reason')}`,
  );
}

const pending = (name: string, spec: object = {}): readonly object[] => [
  rawService(name, { eips: [], spec }),
  rawSlice(name, [{ ip: '10.244.0.9', node: 'n1', ready: true }]),
];

describe('eiproute gateway with allocate', () => {
  before(function () {
    needRoot(this);
  });

  it('tells one cause once, with both Services: one waits for the address that the other has', async () => {
    await using at = await host();
    const daemon = await at.start();
    at.put(...pending('dup', { externalIPs: ['198.51.100.10'] }));
    const { needs } = await at.statusOf(daemon, 'dup waits', (status) =>
      status.needs.some(({ kind }) => kind === 'WAITS'),
    );
    expect(needs.map(({ kind, subject, why }) => `${kind} ${subject} ${why}`)).to.deep.equal([
      'WAITS default/dup asks for 198.51.100.10 (spec.externalIPs), but 198.51.100.10 is held by default/web, and they do not both have a sharing key',
    ]);
  });

  it('gives a pending Service an address and routes it, keeps it over a crash, and lets go of it', async () => {
    await using at = await host();
    const daemon = await at.start();
    at.put(...pending('shop'));
    await until(
      'shop is routed',
      () => at.routing(),
      (routing) => /^198\.51\.100\.0 > /m.test(routing),
    );
    expect(ips(at, 'shop')).to.equal('198.51.100.0');
    const served = ['eiproute.io/Allocated True Allocated', 'eiproute.io/Serving True Routed'];
    const all = ['shop', 'web', 'mail'];
    await until(
      'all serve',
      async () => all.map((name) => conditions(at, name)),
      (seen) => seen.every((one) => String(one) === String(served)),
    );
    expect([ips(at, 'web'), ips(at, 'mail')], 'what they had').to.deep.equal([
      '198.51.100.10',
      '198.51.100.11',
    ]);

    const { status, out } = await at.eiproute('pools');
    expect(status).to.equal(0);
    expect(out)
      .to.match(/^this gateway holds the Lease/)
      .and.to.match(/198\.51\.100\.0 +default\/shop/);
    expect(JSON.parse((await at.eiproute('pools', '--json')).out)).to.deep.include({
      version: 1,
      allocates: true,
      waiting: [],
    });

    await daemon.stop('SIGKILL');
    const before = at.api.seen.length;
    const next = await at.start();
    await until(
      'it leads again',
      async () => (await at.eiproute('pools')).out,
      (text) => text.startsWith('this gateway holds the Lease'),
    );
    at.put(...pending('last'));
    await until(
      'last has an address',
      async () => ips(at, 'last'),
      (text) => text !== '',
    );
    const writes = at.api.seen
      .slice(before)
      .filter(({ method, target }) => method === 'PATCH' && target.includes('/services/'));
    expect(writes.every(({ target }) => target.includes('/last'))).to.equal(true);
    expect([ips(at, 'shop'), ips(at, 'last')]).to.deep.equal(['198.51.100.0', '198.51.100.1']);

    at.delete('Service', 'shop');
    await until(
      'shop is gone',
      async () => at.api.objects.has(kindOf('Service'), 'default', 'shop'),
      (there) => !there,
    );
    expect(await at.routing()).not.to.match(/^198\.51\.100\.0 /m);
    expect(await next.stop()).to.equal(0);
    const lease = at.api.objects.get(kindOf('Lease'), 'kube-system', 'eiproute');
    expect(textAt(lease, 'spec', 'holderIdentity'), 'given back').to.equal('');
  });

  it('tells in status why a Service waits, and goes on routing when it may not write', async () => {
    await using at = await host('allocate: { lease: false }');
    const daemon = await at.start();
    at.put(...pending('odd', { loadBalancerIP: '203.0.113.77' }));
    const status = await at.statusOf(daemon, 'odd waits', ({ problems }) =>
      problems.some(({ code }) => code === 'service-waits'),
    );
    const { message } = status.problems.find(({ code }) => code === 'service-waits') ?? {};
    expect(message).to.equal(
      'Service default/odd waits for an address: asks for 203.0.113.77 (spec.loadBalancerIP), which is in no pool',
    );
    at.api.faults.forbid('patch', 'services');
    at.put(...pending('new'));
    const refused = await at.statusOf(daemon, 'a 403', ({ problems }) =>
      problems.some(({ code }) => code === 'allocation-refused'),
    );
    expect(refused.problems.find(({ code }) => code === 'allocation-refused')?.message).to.include(
      'docs/rbac.yaml',
    );
    expect(await at.routing()).to.include('198.51.100.10 > 10.0.0.11 10.0.0.12 10.0.0.13');
    at.api.faults.allow('patch', 'services');
    await until(
      'new has an address',
      async () => ips(at, 'new'),
      (text) => text !== '',
    );
  });
});
