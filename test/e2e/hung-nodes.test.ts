import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { embedded } from '../../lab/lab.ts';
import type { Load } from '../../lab/load/load.ts';
import type { NodeProgram } from '../../lab/proxy/node-programs.ts';
import type { Ip } from '../../src/model/ip.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needRoot } from './root.ts';

/** What a firewall of the node does to new connections to the kubelet. */
const firewall = (how: 'drop' | 'reject with tcp reset'): string =>
  `table inet eip-firewall { chain in { type filter hook input priority 0; tcp dport 10250 ${how}; }; };`;

/** With the defaults that ship. kube-proxy's health check and the kubelet are processes of their own on every node. */
describe('nodes whose programs are stopped, and whose kernels run on', () => {
  let stage: Stage;
  let ips: readonly Ip[];
  let load: Load;
  before(async function () {
    needRoot(this);
    stage = await Stage.open(embedded, 'allocate: true', { programs: ['kubelet', 'kube-proxy'] });
    await stage.layPods();
    const { cluster, clients } = stage.lab;
    await cluster.createService(
      { name: 'web', policy: 'Local' },
      ready(stage.pods('web-1', 'web-2', 'web-3')),
    );
    await stage.serving('web');
    ips = stage.ips('web');
    load = clients.start({ to: ips, port: 80, every: 10 });
    await stage.lead(ips, 'node1 node2 node3');
  });
  after(async () => {
    await load?.[Symbol.asyncDispose]();
    await stage?.[Symbol.asyncDispose]();
  });

  const some = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i += 1) await load.next(() => true, late());
  };
  /** The nodes that were said to hang, and the times that it was doubted, from a place in the log on. */
  const said = async (from: number): Promise<readonly string[]> => {
    const lines = (await readFile(stage.eiproute.files.log, 'utf8')).slice(from).split('\n');
    return lines.flatMap((line) => {
      if (line.includes('"code":"hung-doubted"')) return 'doubted';
      if (!line.includes('"event":"problem","code":"node-hung"')) return [];
      return /node (node\d)/.exec(line)?.[1] ?? line;
    });
  };
  const place = async (): Promise<number> => (await readFile(stage.eiproute.files.log, 'utf8')).length;
  const signal = (how: NodeJS.Signals, node: string, ...programs: readonly NodeProgram[]): void => {
    for (const program of programs) stage.programs.signal(node, program, how);
  };
  const nft = (node: string, text: string): Promise<string> =>
    stage.lab.network.run(node, { argv: ['nft', text] });

  for (const back of ['kubelet', 'kube-proxy'] as const)
    it(`one gets no new connections until its ${back} runs again`, async () => {
      const from = await place();
      signal('SIGSTOP', 'node2', 'kubelet', 'kube-proxy');
      await stage.lead(ips, 'node1 node3');
      expect(await said(from)).to.deep.equal(['node2']);
      signal('SIGCONT', 'node2', back);
      await stage.lead(ips, 'node1 node2 node3');
      signal('SIGCONT', 'node2', 'kubelet', 'kube-proxy');
    });

  /** Twice: the other nodes were asked as often as the one that hangs. */
  const node3Alone = async (): Promise<void> => {
    const from = await place();
    for (const times of [1, 2]) {
      signal('SIGSTOP', 'node3', 'kubelet', 'kube-proxy');
      await stage.lead(ips, 'node1 node2');
      expect(await said(from)).to.deep.equal(Array(times).fill('node3'));
      signal('SIGCONT', 'node3', 'kubelet', 'kube-proxy');
      await stage.lead(ips, 'node1 node2 node3');
    }
  };

  it('those go on where one program alone is stopped', async () => {
    signal('SIGSTOP', 'node1', 'kube-proxy');
    signal('SIGSTOP', 'node2', 'kubelet');
    await node3Alone();
    signal('SIGCONT', 'node1', 'kube-proxy');
    signal('SIGCONT', 'node2', 'kubelet');
  });

  it('those go on whose kubelet a firewall hides', async () => {
    await nft('node1', firewall('drop'));
    await nft('node2', firewall('reject with tcp reset'));
    for (const node of ['node1', 'node2']) signal('SIGSTOP', node, 'kubelet', 'kube-proxy');
    await node3Alone();
    for (const node of ['node1', 'node2']) {
      signal('SIGCONT', node, 'kubelet', 'kube-proxy');
      await nft(node, 'delete table inet eip-firewall');
    }
  });

  it('all go on when all are stopped at once, and it is said loudly', async () => {
    const from = await place();
    for (const node of ['node1', 'node2', 'node3']) signal('SIGSTOP', node, 'kubelet', 'kube-proxy');
    await stage.until('it is doubted', async () => (await said(from)).includes('doubted'));
    await stage.lead(ips, 'node1 node2 node3');
    for (const node of ['node1', 'node2', 'node3']) signal('SIGCONT', node, 'kubelet', 'kube-proxy');
    const back = await place();
    await some(200);
    expect(await said(back)).to.deep.equal([]);
    await stage.lead(ips, 'node1 node2 node3');
  });

  it('a gateway that was stopped for five seconds suspects nobody, and loses nothing', async () => {
    const from = await place();
    const start = Date.now();
    stage.eiproute.gateway.signal('SIGSTOP');
    try {
      await some(500);
    } finally {
      stage.eiproute.gateway.signal('SIGCONT');
    }
    await some(300);
    expect(await said(from)).to.deep.equal([]);
    expect(load.answers.filter(({ sent, pod }) => sent >= start && pod === undefined)).to.deep.equal([]);
    await stage.lead(ips, 'node1 node2 node3');
  });
});
