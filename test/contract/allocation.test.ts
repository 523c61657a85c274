import { expect } from 'chai';
import { type Json, listAt, textAt } from '../../lab/cluster/api/json.ts';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { waitFor } from '../../lab/process/wait.ts';
import { kubernetesConfigMap } from '../../src/cluster/kubernetes-config-map.ts';
import type { Outcome, Writer } from '../../src/cluster/writer.ts';
import { parseIp } from '../../src/model/ip.ts';
import { late } from '../patience.ts';
import { pool } from '../unit/ipam/fake-cluster.ts';
import { ApiFixture, grantedBy, kind, leaseName, manifest, words } from './api-fixture.ts';

const finalizer = 'service.kubernetes.io/load-balancer-cleanup';
const world = [
  rawNode('n1'),
  rawService('kubernetes', { spec: { type: 'ClusterIP' }, eips: [] }),
  rawSlice('kubernetes', []),
];
const pending = (name: string, spec: object = {}) => rawService(name, { eips: [], spec });
const first = parseIp('198.51.100.0');

describe('the allocation over an API', () => {
  it('gives a pending Service its address: finalizer first, then status, then the event', async () => {
    await using api = await ApiFixture.open(...world);
    const gateway = await api.gateway();
    api.put(pending('web'));
    await api.until(() => api.events('web').length === 1, 'an event');
    expect(api.ips('web')).to.equal('198.51.100.0');
    expect(api.writes()).to.deep.equal([
      'PATCH default/services/web',
      'PATCH default/services/web/status',
      'POST default/events',
    ]);
    expect(listAt(api.service('web'), 'metadata', 'finalizers')).to.deep.equal([finalizer]);
    expect(listAt(api.service('web'), 'status', 'loadBalancer', 'ingress')).to.deep.equal([
      { ip: '198.51.100.0', ipMode: 'VIP' },
    ]);
    expect(api.condition('web', 'eiproute.io/Allocated')).to.equal('True Allocated');
    expect(api.condition('web', 'eiproute.io/Serving')).to.equal('False NotRouted');
    expect(api.events('web')).to.deep.equal(['IPAllocated']);
    expect(gateway.assignmentChanges).to.deep.equal([
      { service: 'default/web', ips: ['198.51.100.0'], pool: 'public' },
    ]);
  });

  it('gives every Service its address though the server closes connections all the time (GOAWAY)', async () => {
    await using api = await ApiFixture.open(...world);
    await api.gateway();
    const names = Array.from({ length: 60 }, (_, i) => `many-${i}`);
    for (const [i, name] of names.entries()) {
      api.put(pending(name));
      await api.until(() => api.writes().length > i, 'a write');
      api.server.goAway();
    }
    await api.until(() => names.every((name) => api.ips(name) !== ''), 'all have an address');
    expect(new Set(names.map((name) => api.ips(name))).size).to.equal(names.length);
  });

  it('does not set Serving while no node has said that it serves the Service', async () => {
    await using api = await ApiFixture.open(...world, pending('web'));
    const gateway = await api.gateway();
    gateway.unanswered.add('default/web');
    await api.until(() => api.ips('web') !== '', 'an address');
    gateway.route(first);
    await api.until(() => api.condition('web', 'eiproute.io/Serving') === 'False NoAnswer', 'no answer');
    gateway.unanswered.delete('default/web');
    gateway.controller.answered('default/web');
    await api.until(() => api.condition('web', 'eiproute.io/Serving') === 'True Routed', 'serving');
  });

  it('sets Serving when the route is there, and clears it when the route is gone', async () => {
    await using api = await ApiFixture.open(...world, pending('web'));
    const gateway = await api.gateway();
    await api.until(() => api.ips('web') !== '', 'an address');
    gateway.route(first);
    await api.until(() => api.condition('web', 'eiproute.io/Serving') === 'True Routed', 'serving');
    gateway.route();
    await api.until(() => api.condition('web', 'eiproute.io/Serving') === 'False NotRouted', 'not serving');
  });

  it('32. writes nothing when nothing has changed, and nothing after a restart', async () => {
    await using api = await ApiFixture.open(...world, pending('a'), pending('b'));
    const gateway = await api.gateway();
    gateway.route(first, parseIp('198.51.100.1'));
    const serving = () =>
      ['a', 'b'].every((name) => api.condition(name, 'eiproute.io/Serving') === 'True Routed');
    await api.until(serving, 'both serve');
    await gateway[Symbol.asyncDispose]();
    const before = api.writes().length;
    const again = await api.gateway();
    again.route(first, parseIp('198.51.100.1'));
    // What comes after it shows that all before it was looked at: endpoints, labels, heartbeats, one new Service.
    api.put(
      rawSlice('a', [{ ip: '10.1.0.1', node: 'n1' }]),
      rawNode('n1', { heartbeat: 'later' }),
      pending('c'),
    );
    await api.until(() => api.events('c').length === 1, 'an event of c');
    const about = api.writes().slice(before);
    expect(about).to.deep.equal([
      'PATCH default/services/c',
      'PATCH default/services/c/status',
      'POST default/events',
    ]);
  });

  it('32. tries again after a conflict, and after a change that it does not look at', async () => {
    await using api = await ApiFixture.open(...world);
    const gateway = await api.gateway();
    api.server.faults.refuse({ status: 409 }, 2, /\/status/);
    api.put(pending('web'));
    const stop = api.server.objects.listen(({ kind: { plural } }) => {
      // Another hand on the same object between any two writes of ours.
      if (plural !== 'services' || textAt(api.service('web'), 'metadata', 'annotations', 'n') === 'x') return;
      const service = api.service('web');
      api.put({ ...service, metadata: { ...Object(service['metadata']), annotations: { n: 'x' } } });
    });
    await api.until(() => api.ips('web') !== '', 'an address');
    stop();
    expect(textAt(api.service('web'), 'metadata', 'annotations', 'n')).to.equal('x');
    expect(gateway.controller.problems()).to.deep.equal([]);
  });

  it('lets one Service that a webhook forbids to be written hold up no other', async () => {
    await using api = await ApiFixture.open(...world);
    const gateway = await api.gateway();
    const message = 'admission webhook "policy.example.com" denied the request: no public address for team a';
    api.server.faults.refuse({ status: 403, message }, 1000, /services\/web(\/|\?|$)/);
    api.put(pending('web'));
    const problems = () => gateway.controller.problems().map(({ code, subject }) => `${code} ${subject}`);
    await waitFor('a problem', () => problems()[0], late());
    expect(problems()).to.deep.equal(['status-refused status of Service default/web']);
    api.put(pending('other'));
    await api.until(() => api.ips('other') !== '', 'an address of the other');
    expect(problems()).to.deep.equal(['status-refused status of Service default/web']);
    expect(gateway.controller.problems()[0]?.message).to.contain(`${message}; our rights are in order`);
  });

  it('58. holds a deletion back until the route is gone, then gives the address to who waits longest', async () => {
    await using api = await ApiFixture.open(...world, pending('a'));
    const gateway = await api.gateway({ pools: [pool('one', ['198.51.100.0/32'])] });
    await api.until(() => api.ips('a') !== '', 'an address');
    gateway.route(first);
    await api.until(() => api.condition('a', 'eiproute.io/Serving') === 'True Routed', 'serving');
    api.put(pending('b'));
    await api.until(
      () => api.condition('b', 'eiproute.io/Allocated') === 'False NoFreeAddress',
      'a word to b',
    );
    api.server.objects.delete(kind('Service'), 'default', 'a');
    api.put(pending('c'));
    await api.until(() => api.condition('c', 'eiproute.io/Allocated') !== '', 'a word to c');
    expect(api.server.objects.has(kind('Service'), 'default', 'a'), 'still there').to.equal(true);
    gateway.route();
    await api.until(() => api.ips('b') !== '', 'the address for b');
    expect(api.server.objects.has(kind('Service'), 'default', 'a')).to.equal(false);
    expect(api.ips('c')).to.equal('');
  });

  it('55. keeps the address through changes of ports, and lets go of what is no LoadBalancer any more', async () => {
    await using api = await ApiFixture.open(...world, pending('web'));
    await api.gateway();
    await api.until(() => api.ips('web') !== '', 'an address');
    const change = (spec: object): void => {
      const service = api.service('web');
      api.put({ ...service, spec: { ...Object(service['spec']), ...spec } });
    };
    change({ ports: [{ name: 'http', protocol: 'TCP', port: 8080 }], allocateLoadBalancerNodePorts: false });
    api.put(pending('other'));
    await api.until(() => api.ips('other') !== '', 'another address');
    expect([api.ips('web'), api.ips('other')]).to.deep.equal(['198.51.100.0', '198.51.100.1']);
    change({ type: 'ClusterIP' });
    await api.until(() => listAt(api.service('web'), 'metadata', 'finalizers').length === 0, 'no finalizer');
    await api.until(() => listAt(api.service('web'), 'status', 'conditions').length === 0, 'no conditions');
    expect(api.ips('web')).to.equal('');
  });

  it('hands out addresses of nodes without a gateway: they serve at once, and a deletion waits for nothing', async () => {
    await using api = await ApiFixture.open(...world);
    await api.gateway({
      pools: [pool('nodes', [], { nodeAddresses: true })],
      terms: { nodeAddresses: () => ['10.0.0.11', '10.0.0.12'].map(parseIp) },
    });
    api.put(pending('web'));
    await api.until(() => api.ips('web') !== '', 'addresses');
    expect(api.ips('web')).to.equal('10.0.0.11 10.0.0.12');
    expect(api.condition('web', 'eiproute.io/Serving')).to.equal('True OnNodes');
    api.server.objects.delete(kind('Service'), 'default', 'web');
    await api.until(() => !api.server.objects.has(kind('Service'), 'default', 'web'), 'the end');
  });

  it('31. does not touch a Service of another class', async () => {
    await using api = await ApiFixture.open(
      ...world,
      pending('theirs', { loadBalancerClass: 'other.example/lb' }),
    );
    await api.gateway();
    const before = api.service('theirs');
    api.put(pending('web'));
    await api.until(() => api.ips('web') !== '', 'an address');
    expect(api.service('theirs')).to.deep.equal(before);
  });

  it('leaves finalizers and conditions of others where they are', async () => {
    await using api = await ApiFixture.open(...world);
    await api.gateway();
    const theirs = { type: 'other.example/Ready', status: 'True' };
    api.put(
      rawService('web', {
        metadata: { finalizers: ['other.example/f'] },
        status: { loadBalancer: {}, conditions: [theirs] },
      }),
    );
    await api.until(() => api.ips('web') !== '', 'an address');
    expect(listAt(api.service('web'), 'metadata', 'finalizers')).to.deep.equal([
      'other.example/f',
      finalizer,
    ]);
    expect(listAt(api.service('web'), 'status', 'conditions')[0]).to.deep.equal(theirs);
  });

  it('repairs once what another program overwrites, then leaves it alone and reports it', async () => {
    await using api = await ApiFixture.open(...world, pending('web'));
    const gateway = await api.gateway();
    await api.until(() => api.ips('web') !== '', 'an address');
    const intrude = (ip: string): void => {
      const service = api.service('web');
      api.put({
        ...service,
        status: { ...Object(service['status']), loadBalancer: { ingress: [{ ip }] } },
      });
    };
    intrude('203.0.113.1');
    await api.until(() => api.ips('web') === '198.51.100.0', 'our address again');
    intrude('203.0.113.2');
    api.put(pending('other'));
    await api.until(() => api.ips('other') !== '', 'another address');
    expect(api.ips('web')).to.equal('203.0.113.2');
    expect(gateway.controller.problems().map(({ code }) => code)).to.deep.equal(['status-contested']);
  });

  it('makes a VIP of what another program left to a proxy, once, then leaves it alone and reports it', async () => {
    const left = { loadBalancer: { ingress: [{ ip: first, ipMode: 'Proxy' }] } };
    await using api = await ApiFixture.open(...world, rawService('web', { status: left }));
    const gateway = await api.gateway();
    const shown = (): string => {
      const ingress = listAt(api.service('web'), 'status', 'loadBalancer', 'ingress');
      return ingress.map((item) => `${textAt(item, 'ip')} ${textAt(item, 'ipMode')}`).join();
    };
    const isOurs = () => shown() === `${first} VIP`;
    await api.until(isOurs, 'the address it had, as a VIP');
    const intrude = (): void => {
      const service = api.service('web');
      api.put({ ...service, status: { ...Object(service['status']), ...left } });
    };
    intrude();
    await api.until(isOurs, 'a VIP again');
    intrude();
    api.put(pending('other'));
    await api.until(() => api.ips('other') !== '', 'another address');
    expect(shown()).to.equal(`${first} Proxy`);
    expect(gateway.controller.problems().map(({ code }) => code)).to.deep.equal(['status-contested']);
  });

  it('merges equal events, and records each only with a write', async () => {
    await using api = await ApiFixture.open(...world);
    await api.gateway({ pools: [pool('one', ['198.51.100.1/32'])] });
    api.put(pending('web'));
    await api.until(() => api.ips('web') !== '', 'an address');
    const ask = (value: string | undefined): void => {
      const service = api.service('web');
      const annotations = value === undefined ? {} : { 'eiproute.io/pool': value };
      api.put({ ...service, metadata: { ...Object(service['metadata']), annotations } });
    };
    for (const _ of [1, 2, 3]) {
      ask('nowhere');
      await api.until(
        () => api.condition('web', 'eiproute.io/Allocated') === 'True UnknownPool',
        'a unsatisfied',
      );
      ask(undefined);
      await api.until(
        () => api.condition('web', 'eiproute.io/Allocated') === 'True Allocated',
        'no unsatisfied',
      );
    }
    const failed = () =>
      api.server.objects
        .list(kind('Event'), 'default')
        .items.filter((item) => textAt(item, 'reason') === 'AllocationFailed');
    const count = (): Json | undefined => Object(failed()[0])['count'];
    await api.until(() => count() === 3, 'a third time');
    expect(failed()).to.have.length(1);
  });

  it('does not think again about what is on its way: the address could be promised twice', async () => {
    await using api = await ApiFixture.open(...world);
    const reached = Promise.withResolvers<void>();
    const go = Promise.withResolvers<void>();
    const slow = (real: Writer): Writer => ({
      finalizer: (service, verb, signal) => real.finalizer(service, verb, signal),
      event: (service, event, signal) => real.event(service, event, signal),
      status: async (service, patch, signal) => {
        if (service.name === 'a') {
          reached.resolve();
          await go.promise;
        }
        return real.status(service, patch, signal);
      },
    });
    await api.gateway({ writer: slow });
    api.put(pending('a'));
    await reached.promise;
    const service = api.service('a');
    const annotations = { 'eiproute.io/addresses': '198.51.100.9' };
    api.put({ ...service, metadata: { ...Object(service['metadata']), annotations } });
    api.put(pending('b'));
    await api.until(() => api.ips('b') !== '', 'an address for b');
    expect(api.ips('b')).to.equal('198.51.100.1');
    go.resolve();
    await api.until(() => api.ips('a') === '198.51.100.9', 'what a asks for');
  });

  describe('survives a crash', () => {
    // finalizer, status, event for each of two Services: every place between two writes, and after the last.
    for (const after of [0, 1, 2, 3, 4, 5, 6]) {
      it(`after ${after} writes: no Service loses its address, and none gets that of another`, async () => {
        await using api = await ApiFixture.open(...world, pending('a'), pending('b'));
        const crashed = Promise.withResolvers<void>();
        let left = after;
        const mortal = (real: Writer): Writer => {
          const once = async (write: () => Promise<Outcome>): Promise<Outcome> => {
            if (left === 0) crashed.resolve();
            left -= 1;
            // The crash: nothing that comes later reaches the API.
            return left < 0 ? new Promise(() => {}) : write();
          };
          return {
            finalizer: (service, verb, signal) => once(() => real.finalizer(service, verb, signal)),
            status: (service, patch, signal) => once(() => real.status(service, patch, signal)),
            event: (service, event, signal) => once(() => real.event(service, event, signal)),
          };
        };
        const mourned = await api.gateway({ writer: mortal });
        if (after < 6) await crashed.promise;
        else await api.until(() => api.events('a').length + api.events('b').length === 2, 'all writes');
        const before = { a: api.ips('a'), b: api.ips('b') };
        mourned.kill();
        api.put(pending('later'));
        await api.gateway();
        const all = () => ['a', 'b', 'later'].map((name) => api.ips(name));
        await api.until(() => all().every((ip) => ip !== ''), 'three addresses');
        expect(new Set(all()).size).to.equal(3);
        for (const name of ['a', 'b'] as const) {
          if (before[name] !== '') expect(api.ips(name)).to.equal(before[name]);
          expect(listAt(api.service(name), 'metadata', 'finalizers')).to.deep.equal([finalizer]);
        }
      });
    }
  });

  describe('with two gateways', () => {
    const eager = { duration: 15_000, deadline: 10_000, retry: 20 };

    it('lets just one of them write, and the other one when the first is gone', async () => {
      await using api = await ApiFixture.open(...world);
      const pair = await Promise.all([api.gateway({ lease: eager }), api.gateway({ lease: eager })]);
      for (const name of ['a', 'b', 'c']) api.put(pending(name));
      await api.until(() => ['a', 'b', 'c'].every((name) => api.events(name).length > 0), 'three events');
      expect(api.writes()).to.have.length(9);
      const [leader, other] = pair[0]?.leadership?.leads ? pair : [pair[1], pair[0]];
      expect(other?.leadership?.leads).to.equal(false);
      await leader?.[Symbol.asyncDispose]();
      api.put(pending('d'));
      await api.until(() => api.ips('d') !== '', 'an address from the other');
      expect(api.ips('d')).to.equal('198.51.100.3');
    });

    it('does not let a holder write that cannot renew, and lets the other one when the Lease has expired', async () => {
      await using api = await ApiFixture.open(...world);
      const one = await api.gateway({ lease: eager, identity: 'one' });
      await api.until(() => textAt(leaseOf(api), 'spec', 'holderIdentity') === 'one', 'the Lease');
      const two = await api.gateway({ lease: eager, identity: 'two' });
      api.server.faults.refuse({ status: 503 }, 1000, /leases/);
      api.put(pending('a'));
      await api.until(() => api.ips('a') !== '', 'an address as long as it is sure');
      api.pass(eager.deadline);
      expect(one.leadership?.leads).to.equal(false);
      await waitFor('it is refused', () => one.leadership?.trouble, late());
      api.put(pending('b'));
      await api.server.watched(['services'], 2, late());
      expect(one.leadership?.trouble?.message).to.include('503');
      expect(api.ips('b')).to.equal('');
      api.server.faults.clear();
      await api.until(() => api.ips('b') !== '', 'an address');
      expect(one.leadership?.leads || two.leadership?.leads).to.equal(true);
    });

    it('says what is missing when there is no Lease', async () => {
      await using api = await ApiFixture.open(...world);
      api.server.objects.delete(kind('Lease'), 'kube-system', 'eiproute');
      const one = await api.gateway({ lease: eager });
      await api.server.asked(/leases/, 3, late());
      expect(one.leadership?.trouble?.advice).to.include('create it with docs/rbac.yaml');
    });
  });

  describe('docs/rbac.yaml', () => {
    const granted = grantedBy(manifest);

    it('grants all that is used, and nothing that is not', async () => {
      await using api = await ApiFixture.open(...world, pending('web'));
      const gateway = await api.gateway({ lease: { duration: 15_000, deadline: 10_000, retry: 20 } });
      await api.until(() => api.ips('web') !== '', 'an address');
      const ask = (value: string): void => {
        const service = api.service('web');
        const annotations = { 'eiproute.io/pool': value };
        api.put({ ...service, metadata: { ...Object(service['metadata']), annotations } });
      };
      for (const value of ['nowhere', 'public', 'nowhere']) {
        ask(value);
        const want = value === 'public' ? 'True Allocated' : 'True UnknownPool';
        await api.until(() => api.condition('web', 'eiproute.io/Allocated') === want, want);
      }
      // The same event again is the one that is patched.
      await api.until(() => api.used.has('patch events'), 'a folded event');
      await using published = kubernetesConfigMap(await api.access(), leaseName);
      const shown = published.changes(late());
      for await (const _ of shown) {
        const { object } = published.state;
        if (object?.data.has('gw1')) break;
        if (object) await published.set('gw1', '{}', late());
      }
      expect([...api.used].sort()).to.deep.equal([...granted].sort());
      expect(gateway.controller.problems().map(({ code }) => code)).to.deep.equal(['service-asks-otherwise']);
    });

    for (const missing of ['patch services', 'patch services/status', 'create events']) {
      it(`is named when ${missing} is missing`, async () => {
        await using api = await ApiFixture.open(...world, pending('web'));
        const gateway = await api.gateway({ rules: (asked) => words(asked) !== missing });
        const found = (): string =>
          gateway.controller
            .problems()
            .map(({ message }) => message)
            .join('\n');
        await gateway.told(() => found().includes('403'));
        const [verb, resource] = missing.split(' ');
        expect(found()).to.include(`resources: ["${resource}"], verbs: ["${verb}"]`);
      });
    }
  });
});

function leaseOf(api: ApiFixture): Json {
  return api.server.objects.get(kind('Lease'), 'kube-system', 'eiproute');
}
