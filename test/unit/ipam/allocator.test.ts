import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect } from 'chai';
import type { Outcome } from '../../../src/cluster/writer.ts';
import { Allocator, type Terms } from '../../../src/ipam/allocator.ts';
import type { Task } from '../../../src/ipam/due.ts';
import type { Service } from '../../../src/model/cluster.ts';
import type { Pool } from '../../../src/model/gateway.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { request, service } from '../../scene.ts';
import { patched } from './fake-api.ts';
import { allocation, asking, FakeCluster, key, named, pool } from './fake-cluster.ts';

const A = parseIp('198.51.100.0');
const B = parseIp('198.51.100.1');
const two = pool('two', ['198.51.100.0/31']);
const done: Outcome = { kind: 'done' };

function decided(cluster: FakeCluster, name: string): string | undefined {
  return cluster.decision(name)?.ips.join(' ');
}

/** The task that is due for a Service. */
function dueFor(cluster: FakeCluster, name: string): Task {
  const task = cluster.due(cluster.at(name));
  if (task === undefined) throw new Error(`nothing is due for ${name}`);
  return task;
}

describe('an address that a Service gives up', () => {
  function moving(): FakeCluster {
    const cluster = new FakeCluster([two, pool('more', ['192.0.2.0/31'], { autoAssign: false })]);
    cluster.set(asking('s1'), asking('s2'));
    cluster.set(asking('s3'));
    const s1 = cluster.at('s1');
    const moved = { ...s1, request: { ...s1.request, ...named('192.0.2.0') } };
    cluster.services.set('default/s1', moved);
    cluster.allocator.observe([moved], []);
    cluster.converge();
    expect([decided(cluster, 's1'), decided(cluster, 's3')]).to.deep.equal(['192.0.2.0', '']);
    return cluster;
  }

  it('is given on when the write that takes it away has succeeded, and not before', () => {
    const cluster = moving();
    const s1 = cluster.at('s1');
    const task = dueFor(cluster, 's1');
    const end = cluster.allocator.begin(s1, task);
    cluster.converge();
    expect(decided(cluster, 's3')).to.equal('');
    end(done);
    cluster.allocator.ended('default/s1');
    if (task.kind === 'status') cluster.allocator.observe([patched(s1, task)], []);
    cluster.converge();
    expect(decided(cluster, 's3')).to.equal(A);
  });

  const failures: readonly Outcome[] = [
    { kind: 'stale' },
    { kind: 'refused', message: 'by a webhook', answered: true, everything: false, wait: undefined },
    { kind: 'refused', message: 'reset', answered: false, everything: true, wait: undefined },
  ];
  for (const outcome of failures) {
    it(`stays with it when that write is ${outcome.kind}: ${'message' in outcome ? outcome.message : ''}`, () => {
      const cluster = moving();
      cluster.allocator.begin(cluster.at('s1'), dueFor(cluster, 's1'))(outcome);
      cluster.allocator.ended('default/s1');
      cluster.converge();
      expect(decided(cluster, 's3')).to.equal('');
    });
  }

  it('goes to another in two writes when two Services swap theirs', () => {
    const cluster = new FakeCluster([pool('three', ['198.51.100.0/30'])]);
    cluster.set(asking('s1', named(A)), asking('s2', named(B)));
    cluster.set(asking('s3', named('198.51.100.2')));
    cluster.delete('s3');
    cluster.change('s1', { how: named('198.51.100.2') });
    cluster.change('s2', { how: named(A) });
    cluster.change('s1', { how: named(B) });
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal([B, A]);
    expect(cluster.twice).to.deep.equal([]);
  });
});

describe('an address that may have been written', () => {
  it('is not given on before the next write', () => {
    const cluster = new FakeCluster([two], { allocation: { ...allocationWithoutFinalizer() } });
    const s1 = asking('s1');
    cluster.services.set('default/s1', s1);
    cluster.allocator.observe([s1], []);
    cluster.converge();
    expect(decided(cluster, 's1')).to.equal(A);
    const end = cluster.allocator.begin(s1, dueFor(cluster, 's1'));
    end({
      kind: 'refused',
      message: 'the connection was reset',
      answered: false,
      everything: true,
      wait: undefined,
    });
    cluster.allocator.ended('default/s1');
    // Now it asks for the other one, and a new Service for the first.
    const changed = asking('s1', named(B));
    cluster.services.set('default/s1', changed);
    cluster.services.set('default/s2', asking('s2', named(A)));
    cluster.allocator.observe([changed, asking('s2', named(A))], []);
    cluster.converge();
    expect([decided(cluster, 's1'), decided(cluster, 's2')]).to.deep.equal([B, '']);
    cluster.settle();
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal([B, A]);
  });

  it('is found out by a write, also when the Service asks for nothing any more', () => {
    const cluster = new FakeCluster([two], { allocation: { ...allocationWithoutFinalizer() } });
    cluster.set(asking('s1'));
    // The watch goes back to a time when it was no LoadBalancer; one that waits asks for its address.
    const before = asking('s1', {}, { type: 'ClusterIP' });
    const now = cluster.at('s1');
    cluster.services.set('default/s1', before);
    cluster.allocator.observe([before, asking('s2', named(A))], []);
    cluster.converge();
    expect(decided(cluster, 's2')).to.equal('');
    const task = dueFor(cluster, 's1');
    cluster.allocator.begin(before, task)({ kind: 'stale' });
    cluster.allocator.ended('default/s1');
    cluster.services.set('default/s1', now);
    cluster.allocator.observe([now], []);
    cluster.converge();
    expect([decided(cluster, 's1'), decided(cluster, 's2')]).to.deep.equal([A, '']);
  });
});

describe('an address that comes free', () => {
  function full(): FakeCluster {
    const cluster = new FakeCluster([two]);
    cluster.set(asking('s8'), asking('s9'));
    cluster.set(asking('s5'));
    cluster.now = '2026-01-01T00:00:05Z';
    cluster.set(asking('s4'));
    return cluster;
  }

  it('goes to the longest waiting before a new Service that is in the queue already', () => {
    const cluster = full();
    cluster.allocator.observe([asking('s1')], []);
    cluster.allocator.observe([], ['default/s8']);
    cluster.converge();
    expect(['s5', 's4', 's1'].map((name) => decided(cluster, name))).to.deep.equal([A, '', '']);
  });

  it('goes to the longest waiting while its condition is being written', () => {
    const cluster = full();
    const s5 = cluster.at('s5');
    const task: Task = { kind: 'finalizer', verb: 'add' };
    const end = cluster.allocator.begin(s5, task);
    cluster.allocator.observe([], ['default/s8']);
    cluster.converge();
    end(done);
    expect(['s5', 's4'].map((name) => decided(cluster, name))).to.deep.equal([A, '']);
  });

  it('goes to the longest waiting also when the watch still shows it as it was before it waited', () => {
    const cluster = full();
    cluster.allocator.observe([asking('s5')], []);
    cluster.converge();
    cluster.allocator.observe([], ['default/s8']);
    cluster.converge();
    expect(['s5', 's4'].map((name) => decided(cluster, name))).to.deep.equal([A, '']);
  });
});

describe('an address that we gave to a Service', () => {
  const thief = (rest: Partial<Service> = {}): Service =>
    service('a', [A], { loadBalancerClass: 'other.example/lb', request: request({ created: 0 }), ...rest });

  for (const [what, one] of [
    ['the status of a Service of another class', thief()],
    ['the status of an older Service of ours', thief({ loadBalancerClass: undefined })],
    ['the spec of another Service', thief({ type: 'ClusterIP', ingress: [], externalIps: [A] })],
    ['the spec of a Service with a status', thief({ type: 'ClusterIP', externalIps: [A] })],
  ] as const) {
    it(`is not taken by ${what}, neither at once nor after a restart`, () => {
      const cluster = new FakeCluster([two]);
      cluster.set(asking('s1', named(A)));
      cluster.set(one);
      const owner = () => cluster.allocator.assignments.holders(A).map((each) => each.key);
      expect([cluster.ips('s1'), owner()]).to.deep.equal([A, ['default/s1']]);
      cluster.restart();
      expect([cluster.ips('s1'), owner()]).to.deep.equal([A, ['default/s1']]);
    });
  }
});

describe('what was written to a Service', () => {
  it('counts no more once another implementation has had the Service', () => {
    const cluster = new FakeCluster([two]);
    cluster.set(asking('s1'));
    expect(cluster.ips('s1')).to.equal(A);
    cluster.reload([two], { allocation: { ...allocation, classless: false } });
    cluster.change('s1', { ingress: [parseIp(B)] });
    cluster.reload([two], { allocation });
    expect(cluster.ips('s1')).to.equal(B);
  });

  it('is no foreign write when the watch shows it before the API answers', () => {
    const cluster = new FakeCluster([two]);
    cluster.set(asking('s1', named(A)));
    const asks = cluster.at('s1');
    const changed = { ...asks, request: { ...asks.request, ...named(B) } };
    cluster.services.set('default/s1', changed);
    cluster.allocator.observe([changed], []);
    cluster.converge();
    const task = dueFor(cluster, 's1');
    const end = cluster.allocator.begin(changed, task);
    if (task.kind !== 'status') throw new Error('no write of a status');
    const shown = patched(changed, task);
    expect(shown.ingress).to.deep.equal([parseIp(B)]);
    expect(cluster.allocator.isOverwritten(shown)).to.equal(false);
    end(done);
    expect(cluster.allocator.isOverwritten({ ...shown, ingress: [parseIp(A)] })).to.equal(true);
  });
});

describe('the allocator', () => {
  it('keeps nothing for a Service that is made again under the same name', () => {
    const cluster = new FakeCluster([pool('one', ['198.51.100.0/32'])]);
    cluster.set(asking('s1'));
    cluster.set(asking('s2'));
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal([A, '']);
    cluster.set(asking('s1', { created: 9000 }, { uid: 'another' }));
    expect([cluster.ips('s1'), cluster.ips('s2')]).to.deep.equal(['', A]);
  });

  it('decides of those that wait for an address no further than somebody has it', () => {
    const queued: string[] = [];
    const allocator = new Allocator(terms([pool('one', ['198.51.100.0/32'])]), (one) => queued.push(one));
    const all = ['s1', 's2', 's3', 's4'].map((name) => asking(name));
    allocator.observe(all, []);
    for (const one of all) allocator.converge(one.key);
    queued.length = 0;
    allocator.observe([], ['default/s1']);
    expect(queued).to.deep.equal(['default/s2']);
    expect(allocator.decisions.get('default/s2')?.ips).to.deep.equal([A]);
  });

  it('gives an address on that only the status of another implementation shows, of a Service that may not have it', () => {
    const cluster = new FakeCluster([pool('one', ['198.51.100.0/32'], { namespaces: ['default'] })]);
    const others = { namespace: 'other', loadBalancerClass: 'example.net/lb', ingress: [A] };
    cluster.set(asking('s1', {}, others), asking('s2'));
    expect(cluster.ips('s2')).to.equal(A);
  });

  it('holds an address that a Service had of the nodes, once the Service has it of a pool', () => {
    const pools = [pool('nodes', [], { nodeAddresses: true }), two];
    const cluster = new FakeCluster(pools, { nodeAddresses: () => [A] });
    const ofNodes = { annotations: { 'eiproute.io/pool': 'nodes' } };
    cluster.set(asking('s1', ofNodes));
    expect([cluster.ips('s1'), cluster.decision('s1')?.ofNodes]).to.deep.equal([A, true]);
    const before = cluster.at('s1');
    const changed = { ...before, request: { ...before.request, ...named(A) } };
    cluster.allocator.observe([changed], []);
    cluster.converge();
    expect([decided(cluster, 's1'), cluster.decision('s1')?.ofNodes]).to.deep.equal([A, false]);
    cluster.allocator.observe([asking('s2', named(A))], []);
    cluster.converge();
    expect(decided(cluster, 's2')).to.equal('');
  });

  it('keeps nothing of sharing keys that are used no more', () => {
    setFlagsFromString('--expose-gc');
    const collect: unknown = runInNewContext('gc');
    if (typeof collect !== 'function') throw new Error('no gc to be had');
    const cluster = new FakeCluster([two]);
    const used = (): number => {
      collect();
      return process.memoryUsage().heapUsed;
    };
    const before = used();
    for (const i of Array(10_000).keys()) {
      const one = asking('s1', key(`key-${i}`));
      cluster.allocator.observe([one], []);
      cluster.converge();
      cluster.allocator.observe([], ['default/s1']);
      cluster.converge();
    }
    // 2.8 MB with an empty set for each of them, else 0.6 MB.
    const grown = used() - before;
    expect(cluster.allocator.decisions.size).to.equal(0);
    expect(grown).to.be.below(1.5e6);
  });
});

function terms(pools: readonly Pool[]): Terms {
  return { pools, allocation, reserved: new Map(), nodeAddresses: () => [] };
}

function allocationWithoutFinalizer() {
  return { class: 'eiproute.io/gateway', classless: true, finalizer: false, lease: undefined };
}
