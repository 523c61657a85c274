import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { kinds } from '../../lab/cluster/api/kinds.ts';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';
import { api } from '../../lab/network/map.ts';
import { inside } from '../../lab/process/namespace.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { type Agent, cluster, NodeLan } from './node-lan.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

const port = 6443;
const origin = 'eipsFrom: { kubeconfig: kubeconfig, configMap: kube-system/eips, every: 1s }\n';
/** Of the fixture, whose word for it this is: the file has none. */
const alone = `# no eips: here\n${origin}`;
const wide = '198.51.100.0/24\n2001:db8:e::/64\n';
const narrow = '["198.51.100.0/25", "2001:db8:e::/64"]';

describe('a node agent that takes its EIPs from a ConfigMap', () => {
  const stack = new AsyncDisposableStack();
  let lan: NodeLan;
  let server: ApiServer;
  let untouched: string;
  before(async function () {
    needRoot(this);
    lan = stack.use(await NodeLan.lay());
    server = stack.use(
      await startApiServer({
        host: api.v4,
        port,
        listen: (listener) => inside(lan.net.namespace('api'), () => listener.listen(port)),
      }),
    );
    untouched = await (await lan.agent('node1')).kernel();
  });
  after(() => stack.disposeAsync());
  const daemons: GatewayDaemon[] = [];
  afterEach(async () => {
    for (const daemon of daemons.splice(0)) await daemon.stop('SIGKILL');
  });

  async function start(agent: Agent): Promise<GatewayDaemon> {
    const daemon = await agent.start();
    daemons.push(daemon);
    return daemon;
  }

  /** An agent that may read this one object, and no more. */
  async function agentWith(rest: string): Promise<Agent> {
    const agent = await lan.agent('node1', rest);
    const token = server.account(
      ({ verb, resource, namespace, name }) =>
        verb === 'get' && resource === 'configmaps' && namespace === 'kube-system' && name === 'eips',
    );
    await writeFile(join(agent.folder, 'kubeconfig'), server.kubeconfig({ token }));
    return agent;
  }

  function put(data: Readonly<Record<string, string>>): void {
    const metadata = { name: 'eips', namespace: 'kube-system' };
    server.put({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data });
  }

  /** A problem in the words of the status: the journal tells one once, whatever becomes of its words. */
  async function shows(agent: Agent, says: RegExp): Promise<void> {
    await until(
      `the status says ${says}`,
      async () => (await agent.status())?.problems.map(({ message }) => message).join('\n') ?? '',
      (now) => says.test(now),
    );
  }

  async function installed(network: string): Promise<void> {
    await until(
      `${network} is installed, and it alone`,
      () => lan.run('node1', 'ip -N rule; ip -N route show table 100'),
      (now) =>
        now.includes(`to ${network} lookup 100`) &&
        (now.match(/^2 .*/gm) ?? []).join().startsWith(`2 ${network} dev lo`),
    );
  }

  it('takes them and their changes, refuses garbage, and keeps them while the API is down', async () => {
    put({ eips: wide });
    const agent = await agentWith(alone);
    let daemon = await start(agent);
    await installed('198.51.100.0/24');
    expect(daemon.text()).to.not.match(/eips-/);
    expect(await lan.get('client', cluster.v4)).to.match(/^web-/);
    expect(await lan.get('client', cluster.v6)).to.match(/^web-/);

    put({ eips: narrow });
    await installed('198.51.100.0/25');
    await until(
      'it is synced',
      () => agent.status(),
      (now) => now?.synced === true,
    );
    const good = await agent.kernel();

    for (const [data, says] of [
      [{ eips: '' }, /ConfigMap kube-system\/eips is refused: eips: is an empty list/],
      [{ eips: 'to be done' }, /is refused: eips\[0\]: .*to be done/],
      [{ eips: '10.0.0.128/25' }, /is refused: 10\.0\.0\.128\/25 of eips lies in 10\.0\.0\.0\/24/],
      [{ pools: wide }, /has no key "eips"; the networks of EIPs stay as they are/],
    ] as const) {
      put(data);
      await shows(agent, says);
      expect(await agent.kernel()).to.equal(good);
    }
    await daemon.says(/"level":"error".*"code":"eips-refused"/);
    const configMaps = kinds.find(({ kind }) => kind === 'ConfigMap');
    if (configMaps === undefined) throw new Error('no ConfigMaps');
    server.objects.delete(configMaps, 'kube-system', 'eips');
    await shows(agent, /cannot be read: get configmaps: HTTP 404: configmaps "eips" not found/);
    expect(await agent.kernel()).to.equal(good);
    put({ eips: narrow });
    await until(
      'nothing is wrong any more',
      () => agent.status(),
      (now) => now?.synced === true && now.problems.length === 0,
    );

    await server.stop();
    await daemon.says(/ConfigMap kube-system\/eips cannot be read: get configmaps: .*ECONNREFUSED/);
    await daemon.stop();
    expect((await agent.command('plan --commands')).out).to.equal('');
    daemon = await start(agent);
    await daemon.says(/ConfigMap kube-system\/eips cannot be read/);
    expect(await agent.kernel()).to.equal(good);
    expect((await agent.status())?.synced).to.equal(true);
    const remembered = await readFile(join(agent.folder, 'state', 'node', 'eips.json'), 'utf8');
    expect(remembered).to.include('198.51.100.0/25');

    put({ eips: wide });
    await server.start();
    await installed('198.51.100.0/24');
    await daemon.stop();
    await agent.command('purge --yes');
    expect(await agent.kernel()).to.equal(untouched);
  });

  it('has those of its file until the object is read', async () => {
    put({ eips: narrow });
    await server.stop();
    const agent = await agentWith(`eips: [198.51.100.0/24, "2001:db8:e::/64"]\n${origin}`);
    const daemon = await start(agent);
    await daemon.says(/ConfigMap kube-system\/eips cannot be read/);
    await installed('198.51.100.0/24');
    await server.start();
    await installed('198.51.100.0/25');
    await daemon.stop();
    await agent.command('purge --yes');
    expect(await agent.kernel()).to.equal(untouched);
  });

  it('touches nothing while it knows of none', async () => {
    const before = await agentWith(origin);
    const first = await start(before);
    await installed('198.51.100.0/25');
    const good = await before.kernel();
    await first.stop();
    await server.stop();
    const agent = await agentWith(alone);
    await using daemon = agent.launch();
    await daemon.says(/networks of EIPs were never read from the ConfigMap/);
    expect(await agent.kernel()).to.equal(good);
    expect((await agent.status())?.synced).to.equal(false);
    await daemon.stop();
    await server.start();
    await agent.command('purge --yes');
    expect(await agent.kernel()).to.equal(untouched);
  });

  it('says which right it lacks', async () => {
    const agent = await agentWith(`eips: [198.51.100.0/24, "2001:db8:e::/64"]\n${origin}`);
    const token = server.account(() => false);
    await writeFile(join(agent.folder, 'kubeconfig'), server.kubeconfig({ token }));
    const daemon = await start(agent);
    await shows(agent, /HTTP 403: .*resources: \["configmaps"\], verbs: \["get"\] \} of docs\/node\.md/);
    await daemon.stop();
    await agent.command('purge --yes');
  });
});
