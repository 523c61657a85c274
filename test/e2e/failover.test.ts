import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { expect } from 'chai';
import { ready } from '../../lab/cluster/cluster.ts';
import { embedded } from '../../lab/lab.ts';
import type { Load } from '../../lab/load/load.ts';
import { now } from '../../lab/process/clock.ts';
import { type Ip, parseIp } from '../../src/model/ip.ts';
import { losses, type Move, moving } from '../lab/losses.ts';
import { Stage } from '../lab/stage.ts';
import { late } from '../patience.ts';
import { needRoot } from './root.ts';

for (const [groups, settings] of [
  ['plain', 'allocate: true'],
  ['resilient', 'allocate: true\nresilient: true'],
] as const) {
  /** With the defaults that ship; the kernel alone leaves a silent node out of plain groups only. */
  describe(`nodes that do not answer, ${groups} groups`, () => {
    let stage: Stage;
    let ips: readonly Ip[];
    let load: Load;
    before(async function () {
      needRoot(this);
      stage = await Stage.open(embedded, settings);
      const { network, cluster, proxy, clients } = stage.lab;
      for (const [i, name] of network.nodes.entries()) await network.addPod(`web-${i + 1}`, name);
      await cluster.createService({ name: 'web', policy: 'Local' }, ready(network.pods));
      await stage.serving('web');
      await proxy.settled();
      ips = stage.eips('web').split(' ').map(parseIp);
      load = clients.start({ to: ips, port: 80, every: 10 });
      await stage.lead(ips, 'node1 node2 node3');
      for (const { name } of network.pods) await answeredBy(name);
    });
    after(async () => {
      await load?.[Symbol.asyncDispose]();
      await stage?.[Symbol.asyncDispose]();
    });

    const answeredBy = async (name: string): Promise<void> => {
      for (const ip of ips) await load.next(({ to, pod }) => to === ip && pod === name, late());
    };
    const some = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i += 1) await load.next(() => true, late());
    };
    /** Requests that were lost since then, but for those that a move has cut off. */
    const lost = (since: number, moves: readonly Move[] = []): readonly string[] =>
      losses(load.answers, since, moves);
    /** Neighbour entries of nodes that the gateway's kernel does not reach. */
    const stillSilent = async (): Promise<number> =>
      (await stage.lab.network.run('gateway', { argv: ['ip', 'neigh', 'show', 'dev', 'eth0'] })).match(
        /FAILED|INCOMPLETE/g,
      )?.length ?? 0;
    const said = async (code: string): Promise<number> =>
      (await stage.eiproute.gateway.logged()).split(`"event":"problem","code":"${code}"`).length - 1;

    it('a cut cable: the node leaves the groups, and comes back with the cable', async () => {
      const { network } = stage.lab;
      const cut = now();
      await network.unplug('node2');
      await stage.lead(ips, 'node1 node3');
      const left = now();
      await some(100);
      // A request that is lost has been waited for; what was sent after the node had left is not among them.
      await some(100);
      expect(lost(left), 'after it had left').to.deep.equal([]);
      // Every third, for as long as it took: half a second, which bench/failover.ts measures.
      const meanwhile = load.answers.filter(({ sent }) => sent >= cut && sent < left).length;
      expect(lost(cut).length, `of ${meanwhile}`).to.be.within(1, meanwhile / 2 + 10);
      expect(await said('node-silent')).to.be.at.least(2);
      const back = await moving(async () => {
        await network.plug('node2');
        await stage.lead(ips, 'node1 node2 node3');
      });
      // In a resilient group a flow that does not rest stays where it is.
      if (groups === 'plain') await answeredBy('web-2');
      await some(100);
      expect(lost(back.from, [back])).to.deep.equal([]);
    });

    it('all cables at once: nobody leaves, it is said loudly, and all goes on when they are back', async () => {
      const { network } = stage.lab;
      for (const name of network.nodes) await network.unplug(name);
      for (const protocol of ['ARP', 'NDP'])
        await stage.until(`the journal names ${protocol}`, async () =>
          (await stage.eiproute.gateway.logged()).includes(`none of the 3 nodes answers ${protocol} on eth0`),
        );
      await stage.lead(ips, 'node1 node2 node3');
      for (const name of network.nodes) await network.plug(name);
      await stage.until('nobody is silent', async () => (await stillSilent()) === 0);
      await some(100);
      const back = now();
      await some(200);
      expect(lost(back), 'when they were back').to.deep.equal([]);
      await stage.lead(ips, 'node1 node2 node3');
    });

    it('a daemon that was stopped for five seconds suspects nobody, and loses nothing', async () => {
      const before = await said('node-silent');
      const start = now();
      stage.eiproute.gateway.signal('SIGSTOP');
      try {
        await some(500);
      } finally {
        stage.eiproute.gateway.signal('SIGCONT');
      }
      await some(100);
      await stage.lead(ips, 'node1 node2 node3');
      expect(await said('node-silent')).to.equal(before);
      expect(lost(start)).to.deep.equal([]);
    });

    it('nodes and gateway under full load of the processors: nobody is suspected', async () => {
      const before = await said('node-silent');
      const hogs: ChildProcess[] = [];
      try {
        for (let i = 0; i < 2 * availableParallelism(); i += 1)
          hogs.push(spawn(process.execPath, ['--eval', 'for (;;);'], { stdio: 'ignore' }));
        await some(500);
      } finally {
        for (const hog of hogs) hog.kill('SIGKILL');
      }
      await stage.lead(ips, 'node1 node2 node3');
      expect(await said('node-silent')).to.equal(before);
    });
  });
}
