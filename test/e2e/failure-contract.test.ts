import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import type { ApiServer } from '../../lab/cluster/api-server.ts';
import { late } from '../patience.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, kindOf, localServiceOn, serviceOn, standardWorld } from './gateway-host.ts';
import type { KernelWatch } from './kernel-watch.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

const resources = ['services', 'endpointslices', 'nodes'];
const plurals = ['Service', 'EndpointSlice', 'Node'];

interface Outage {
  readonly name: string;
  readonly trouble: RegExp;
  begin(api: ApiServer): Promise<void> | void;
  end(api: ApiServer): Promise<void> | void;
}

let goodToken = '';
const outages: readonly Outage[] = [
  {
    name: 'is stopped',
    trouble: /ECONNREFUSED/,
    begin: (api) => api.stop(),
    end: (api) => api.start(),
  },
  {
    name: 'refuses the credentials (401)',
    trouble: /HTTP 401: Unauthorized; the credentials are refused, also after reading them again/,
    begin: (api) => {
      goodToken = api.token;
      api.accept('another');
      api.breakWatches();
    },
    end: (api) => api.accept(goodToken),
  },
  {
    name: 'forbids the watch (403)',
    trouble: /HTTP 403: .* is forbidden: .*; its ClusterRole needs the rule \{ apiGroups:/,
    begin: (api) => {
      for (const resource of resources)
        for (const verb of ['list', 'watch']) api.faults.forbid(verb, resource);
      api.breakWatches();
    },
    end: (api) => {
      for (const resource of resources)
        for (const verb of ['list', 'watch']) api.faults.allow(verb, resource);
    },
  },
  {
    name: 'asks for patience (429)',
    trouble: /HTTP 429: too many requests/,
    begin: (api) => {
      api.faults.refuse(
        { status: 429, message: 'too many requests', retryAfter: 1 },
        Number.POSITIVE_INFINITY,
      );
      api.breakWatches();
    },
    end: (api) => api.faults.clear(),
  },
  {
    name: 'is broken (500)',
    trouble: /HTTP 500: etcdserver: leader changed/,
    begin: (api) => {
      api.faults.refuse({ status: 500, message: 'etcdserver: leader changed' }, Number.POSITIVE_INFINITY);
      api.breakWatches();
    },
    end: (api) => api.faults.clear(),
  },
];

describe('while the API', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;
  let watch: KernelWatch;

  // One each: what has just failed waits longer before the next try.
  beforeEach(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    daemon = await host.start();
    await host.api.watched(resources, 1, late());
    watch = await host.watch();
  });
  afterEach(async () => {
    await watch?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
  });

  outages.forEach(({ name, trouble, begin, end }, i) => {
    const eip = `198.51.100.${20 + i}`;
    it(`${name}, routes stay, the status tells why and since when, and it catches up`, async () => {
      const frozen = await host.kernel();
      const started = Date.now();
      await begin(host.api);
      host.put(...serviceOn(`late-${i}`, [eip]));
      const { feeds, summary, state, needs } = await host.statusOf(daemon, 'all feeds tell', (status) =>
        status.feeds.every((feed) => trouble.test(feed.trouble ?? '')),
      );
      expect(feeds.map(({ resource }) => resource)).to.deep.equal(resources);
      for (const { heard = '' } of feeds)
        expect(Date.parse(heard)).to.be.within(started - 60_000, Date.now());
      expect(summary).to.match(/3 of 3 EIPs routed .*no answer about services, endpointslices, nodes$/);
      expect(needs.map(({ kind, why }) => `${kind} ${why}`).join('\n')).to.match(trouble);
      // It is FROZEN once there was no answer for longer.
      expect(state).to.equal('OK');
      const { msg, lastHeard } = await daemon.says(trouble);
      expect(msg).to.equal('the cluster does not answer; routes stay as they are');
      expect(Date.parse(String(lastHeard))).to.be.within(started - 60_000, Date.now());
      expect(await watch.take()).to.deep.equal([]);
      expect(await host.kernel()).to.equal(frozen);
      await end(host.api);
      await until(
        `${eip} is routed`,
        () => host.routing(),
        (now) => now.includes(`${eip} > 10.0.0.11`),
      );
      await daemon.says(/the cluster answers again/);
      expect((await watch.take()).filter((line) => line.startsWith('Deleted'))).to.deep.equal([]);
    });
  });

  it('says nothing any more, routes stay and the status tells since when', async () => {
    const frozen = await host.kernel();
    host.api.beSilent(true);
    const silent = Date.now();
    host.put(...serviceOn('unheard', ['198.51.100.30']));
    host.api.breakWatches();
    // All three have asked again by then, and wait for an answer: that may take a watch's whole life.
    const asked = (resource: string): number =>
      host.api.seen.filter(({ target }) => target.includes(`/${resource}?`)).length;
    await until(
      'all ask again',
      () => resources.map(asked),
      (counts) => counts.every((count) => count >= 3),
    );
    const { feeds } = await host.status();
    for (const { heard = '' } of feeds) expect(Date.parse(heard)).to.be.at.most(silent);
    const shown = await host.eiproute('status');
    expect(shown.out).to.match(/\nAPI .*heard \d+ s ago/);
    expect(await watch.take()).to.deep.equal([]);
    expect(await host.kernel()).to.equal(frozen);
    host.api.beSilent(false);
    await host.api.stop();
    await host.api.start();
    await until(
      'the EIP is routed',
      () => host.routing(),
      (now) => now.includes('198.51.100.30 > '),
    );
  });
});

describe('what the API may send', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;
  let watch: KernelWatch;
  let mark = 0;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    daemon = await host.start();
    watch = await host.watch();
  });
  beforeEach(async () => {
    await host.api.watched(resources, 1, late());
    await watch.take();
    mark = daemon.journal.length;
  });
  after(async () => {
    await watch?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
  });

  it('is nothing but 410, its history being gone: nothing moves, and the next change arrives', async () => {
    const lists = (): number => host.api.seen.filter(({ target }) => /services\?limit/.test(target)).length;
    const before = lists();
    host.api.objects.compact();
    host.api.breakWatches();
    await host.api.asked(/services\?limit/, before + 1, late());
    await host.api.watched(resources, 1, late());
    expect(await watch.take()).to.deep.equal([]);
    host.put(...serviceOn('after-410', ['198.51.100.31']));
    await until(
      'the EIP is routed',
      () => host.routing(),
      (now) => now.includes('198.51.100.31 > '),
    );
    expect((await watch.take()).join('\n')).to.match(/^198.51.100.31 nhid \d+ proto 86\s*$/);
  });

  it('is garbage: told once, and the others go on', async () => {
    const garbage = {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'odd', namespace: 'default' },
      spec: { type: 'Odd' },
    };
    host.api.inventEvent('services', 'MODIFIED', garbage);
    await daemon.says(/object-unreadable/, mark);
    for (const eip of ['198.51.100.33', '198.51.100.32']) {
      host.api.inventEvent('services', 'MODIFIED', garbage);
      host.put(...serviceOn('sound', [eip]));
      await until(
        'the EIP is routed',
        () => host.routing(),
        (now) => now.includes(`${eip} > `),
      );
      await daemon.says(new RegExp(`"eip":"${eip}"`), mark);
    }
    const told = daemon.journal
      .slice(mark)
      .filter((line) => JSON.stringify(line).includes('object-unreadable'));
    expect(told.map(({ level, subject }) => `${level} ${subject}`)).to.deep.equal([
      'warn Service default/odd',
    ]);
  });

  it('is the end of a single Service: its EIP goes at once and nothing else', async () => {
    host.delete('Service', 'sound');
    await until(
      'the EIP is gone',
      () => host.routing(),
      (now) => !now.includes('198.51.100.32'),
    );
    await daemon.says(/"eip":"198.51.100.32".*"EIP withdrawn"/, mark);
    expect((await watch.take()).join('\n')).to.match(/^Deleted 198.51.100.32 nhid \d+ proto 86\s*$/);
  });

  it('is empty lists: all is held until an operator lets go', async () => {
    const full = await host.kernel();
    await host.api.stop();
    for (const kind of plurals) host.api.objects.forget(kindOf(kind));
    await host.api.start();
    const { held, summary, synced } = await host.statusOf(daemon, 'deletes are held', (status) =>
      status.held.some(({ reason }) => reason === 'too many at once'),
    );
    expect(summary).to.match(/held/);
    expect(synced).to.equal(false);
    expect(held.filter(({ object }) => object.startsWith('198.51.100.')).length).to.equal(3);
    for (const { reason, until: end } of held) {
      expect(reason).to.be.oneOf(['too many at once', 'still named']);
      if (reason === 'too many at once') expect(Date.parse(end ?? '')).to.be.above(Date.now() + 500_000);
    }
    await daemon.says(/too much would vanish at once: held; .*eiproute release/, mark);
    expect(await host.kernel()).to.equal(full);
    const released = await host.eiproute('release', '--yes');
    expect(released.out).to.match(/^\d+ held deletes are released\n$/);
    expect({ status: released.status, err: released.err }).to.deep.equal({ status: 0, err: '' });
    await until(
      'all EIPs are gone',
      () => host.routing(),
      (now) => now === '',
    );
    await daemon.says(/an operator released held deletes/, mark);
    host.put(...standardWorld);
    await until(
      'EIPs are back',
      () => host.routing(),
      (now) => now.includes('2001:db8:e::10 > '),
    );
  });

  it('is the end of all nodes and Services one by one: all EIPs go at once, and nothing is held', async () => {
    for (const name of ['n1', 'n2', 'n3']) host.delete('Node', name);
    for (const name of ['web', 'mail']) host.delete('Service', name);
    await until(
      'all EIPs are gone',
      () => host.routing(),
      (now) => now === '',
    );
    const records = daemon.journal.slice(mark).map((line) => JSON.stringify(line));
    expect(records.filter((line) => line.includes('too much would vanish at once'))).to.deep.equal([]);
    host.put(...standardWorld);
    await until(
      'EIPs are back',
      () => host.routing(),
      (now) => now.includes('2001:db8:e::10 > '),
    );
  });
});

describe('a daemon that ends and starts again', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;
  let watch: KernelWatch;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    daemon = await host.start();
    watch = await host.watch();
  });
  after(async () => {
    await watch?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
  });

  it('leaves everything where it is on SIGTERM', async () => {
    const full = await host.kernel();
    expect(await daemon.stop('SIGTERM')).to.equal(0);
    await daemon.says(/stopped; routes and settings stay as they are/);
    expect(await watch.take()).to.deep.equal([]);
    expect(await host.kernel()).to.equal(full);
    expect(host.sysctl('net/ipv4/ip_forward')).to.equal('1');
    expect(existsSync(join(host.runtime, 'gateway.sock'))).to.equal(false);
  });

  it('changes nothing when it starts over what it left', async () => {
    daemon = await host.start();
    expect(await watch.take()).to.deep.equal([]);
  });

  it('changes nothing when it was killed and starts again', async () => {
    expect(await daemon.stop('SIGKILL')).to.equal('SIGKILL');
    daemon = await host.start();
    expect(await watch.take()).to.deep.equal([]);
    expect(daemon.journal.map(({ msg }) => msg)).not.to.include('round');
  });

  it('does not read what it knew last when the lists come in, and replaces it', async () => {
    const file = join(host.state, 'cluster.json');
    await daemon.stop('SIGKILL');
    await writeFile(file, 'it would be told that this is garbage');
    daemon = host.launch();
    await host.synced(daemon);
    expect(await watch.take()).to.deep.equal([]);
    expect(JSON.stringify(daemon.journal)).not.to.contain('remembered-cluster-unreadable');
    await daemon.stop('SIGTERM');
    expect(await readFile(file, 'utf8')).to.match(/^eiproute-cluster-log 2\n.*"web"/s);
    daemon = host.launch();
    await host.synced(daemon);
  });

  it('leads where it led last when it was killed in the moment after a move, and starts with the API down', async () => {
    const before = await host.routing();
    host.put(...localServiceOn('mail', ['198.51.100.11'], ['n3']));
    const moved = await until(
      'mail is on n3',
      () => host.routing(),
      (now) => now !== before,
    );
    // Some ms after the kernel.
    await until(
      'it is remembered',
      () => readFile(join(host.state, 'cluster.json'), 'utf8'),
      (log) => /^.*"default\/mail".*"n3".*$/m.test(log),
    );
    await host.api.stop();
    await daemon.stop('SIGKILL');
    await watch.take();
    daemon = host.launch();
    await host.statusOf(daemon, 'it knows what it knew', ({ eips }) => eips.wanted === 3);
    expect(await watch.take()).to.deep.equal([]);
    expect(await host.routing()).to.equal(moved);
    await host.api.start();
    await host.synced(daemon);
    host.put(...localServiceOn('mail', ['198.51.100.11'], ['n2']));
    await until(
      'mail is back',
      () => host.routing(),
      (now) => now === before,
    );
    await watch.take();
  });

  it('removes after the lists are in what was orphaned meanwhile, and touches nothing else', async () => {
    await daemon.stop('SIGKILL');
    host.delete('Service', 'mail');
    host.api.faults.forbid('list', 'nodes');
    // Else what is remembered keeps it wanted until the lists are in.
    await rm(join(host.state, 'cluster.json'));
    daemon = host.launch();
    const { held } = await host.statusOf(
      daemon,
      'two lists are in',
      ({ feeds, round }) => round !== undefined && feeds.filter(({ synced }) => synced).length === 2,
    );
    expect(await watch.take()).to.deep.equal([]);
    expect(held.filter(({ object }) => /^(198|2001)\S+ nhid/.test(object))).to.have.length(3);
    expect(held.every(({ reason }) => reason === 'lists incomplete')).to.equal(true);
    host.api.faults.allow('list', 'nodes');
    await host.synced(daemon);
    const changes = await watch.take();
    expect(changes.map((line) => line.replace(/\s+/g, ' ').trim())).to.deep.equal([
      'Deleted 198.51.100.11 nhid 260000000 proto 86',
      'Deleted id 260000000 group 250000000 proto 86',
    ]);
  });
});

/** What a gateway leaves behind that ran once: its state directory, and what it had in the kernel. */
async function lastKnown(host: GatewayHost): Promise<{ readonly state: string; readonly desired: string }> {
  await using daemon = await host.start();
  const desired = await host.ours();
  // At the latest now it saves what it knows.
  await daemon.stop();
  return { state: host.state, desired };
}

describe('a reboot with the API down', () => {
  it('routes what was known last, deletes nothing, and goes on when the API is back', async function () {
    needRoot(this);
    await using before = await GatewayHost.make();
    const { state, desired } = await lastKnown(before);
    await using after = await GatewayHost.make({ state });
    await after.api.stop();
    // Nobody knows yet whether this one is still wanted.
    await after.ip('route add unreachable 198.51.100.99 proto 86');
    const daemon = after.launch();
    await until(
      'all is routed again',
      () => after.routing(),
      (now) => now.includes('2001:db8:e::10 > 2001:db8'),
    );
    const {
      state: word,
      summary,
      held,
    } = await after.statusOf(daemon, 'the API is missed', ({ feeds }) =>
      feeds.every(({ trouble }) => /ECONNREFUSED/.test(trouble ?? '')),
    );
    expect(word).to.equal('NOT SYNCED');
    expect(summary).to.match(
      /^no complete list of services, endpointslices, nodes yet: cannot reach the Kubernetes API at 127.0.0.1:\d+ \(server in \S+kubeconfig\): connection refused .*; 3 EIPs stay as they were$/,
    );
    expect(held.map(({ object, reason }) => `${object}: ${reason}`)).to.deep.equal([
      'unreachable 198.51.100.99 proto 86: lists incomplete',
    ]);
    expect(await after.ours()).to.include('unreachable 198.51.100.99 proto 86');
    await after.api.start();
    await after.synced(daemon);
    await after.becomes(desired);
  });

  it('does so as well when the API is silent', async function () {
    needRoot(this);
    await using before = await GatewayHost.make();
    const { state, desired } = await lastKnown(before);
    await using after = await GatewayHost.make({ state });
    // It takes connections, and says nothing: a firewall in the way, or a server that hangs.
    after.api.beSilent(true);
    const daemon = after.launch();
    await until(
      'all is routed again',
      () => after.routing(),
      (now) => now.includes('2001:db8:e::10 > 2001:db8'),
    );
    const { state: word, feeds } = await after.status();
    expect(word).to.equal('NOT SYNCED');
    expect(feeds.map(({ heard }) => heard)).to.deep.equal([undefined, undefined, undefined]);
    // It was the silence: the heartbeat, which gives up after 15 s, has found nothing wrong yet.
    expect(feeds.map(({ trouble }) => trouble)).to.deep.equal([undefined, undefined, undefined]);
    after.api.beSilent(false);
    await after.api.stop();
    await after.api.start();
    await after.synced(daemon);
    await after.becomes(desired);
  });
});
