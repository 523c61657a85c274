import { expect } from 'chai';
import { Journal } from '../../../src/daemon/journal.ts';
import { fieldsOf } from '../../../src/journal/entry.ts';
import { KernelError } from '../../../src/kernel/kernel.ts';
import { createLog } from '../../../src/log.ts';
import type { Node } from '../../../src/model/cluster.ts';
import { endpoint, node, Scene, service, snapshot, threeNodes } from '../../scene.ts';

/** What `journalctl -o cat` would show, each with its priority and EIP. */
class Story {
  now = 1_000_000;
  readonly #records: Readonly<Record<string, string>>[] = [];
  readonly journal = new Journal(
    createLog({
      level: 'info',
      format: 'auto',
      stream: process.stderr,
      env: {},
      journal: (line) => this.#records.push(Object.fromEntries(fieldsOf(JSON.parse(line)))),
    }),
    () => this.now,
  );

  /** A round of the scene, and what the journal tells of it. */
  async round(
    scene: Scene,
    kind: 'cluster' | 'route' = 'cluster',
    leaving: readonly string[] = [],
  ): Promise<readonly string[]> {
    const report = await scene.round(kind);
    this.journal.round(
      report,
      (index) => `eth${index}`,
      () => scene.role.gatewayDesire?.paths.takeHistory(),
      () => leaving,
    );
    return this.told();
  }

  /** What came since the last call, but for rounds: they are counted by others. */
  told(): readonly string[] {
    const lines = this.#records
      .filter(({ EIPROUTE_EVENT }) => EIPROUTE_EVENT !== 'round')
      .map(({ PRIORITY, EIP, MESSAGE }) => `${PRIORITY} ${EIP ?? '-'} ${MESSAGE}`);
    this.#records.length = 0;
    return lines;
  }
}

const web = service('web', ['198.51.100.10']);
const local = service('local', ['198.51.100.12'], {
  externalTrafficPolicy: 'Local',
  endpoints: [endpoint('n1'), endpoint('n2')],
});
const webRoute = 'route 254 198.51.100.10/32 0';

describe('what journald stores', () => {
  it('tells the story of an EIP, its nodes included', async () => {
    const story = new Story();
    const scene = new Scene(snapshot(threeNodes, [web, local]));
    expect(await story.round(scene)).to.deep.equal([
      '5 198.51.100.10 198.51.100.10 (default/web) is routed to n1, n2, n3',
      '5 198.51.100.12 198.51.100.12 (default/local) is routed to n1, n2',
      '6 - all lists of the cluster are in; 5 routes wanted',
    ]);
    scene.cluster = snapshot(threeNodes, [web, { ...local, externalTrafficPolicy: 'Cluster' }]);
    expect(await story.round(scene)).to.deep.equal([
      '5 198.51.100.12 198.51.100.12 (default/local) is now routed to n1, n2, n3; before, to n1, n2',
    ]);
    scene.cluster = snapshot(threeNodes, [web]);
    expect(await story.round(scene)).to.deep.equal([
      '5 198.51.100.12 198.51.100.12 is no longer routed: no Service holds it, or no node can serve it',
    ]);
    expect(await story.round(scene)).to.deep.equal([]);
  });

  it('tells of an EIP that moves with its group, whose route is not touched', async () => {
    const story = new Story();
    const scene = new Scene(snapshot(threeNodes, [web]));
    await story.round(scene);
    scene.cluster = snapshot(threeNodes.slice(0, 2), [web]);
    expect(await story.round(scene)).to.deep.equal([
      '5 198.51.100.10 198.51.100.10 (default/web) is now routed to n1, n2; before, to n1, n2, n3',
    ]);
  });

  it('tells which nodes only keep the flows that they have', async () => {
    const story = new Story();
    const scene = new Scene(snapshot(threeNodes, [local]));
    await story.round(scene);
    scene.cluster = snapshot(threeNodes, [{ ...local, endpoints: [endpoint('n1')] }]);
    expect(await story.round(scene, 'cluster', ['n2'])).to.deep.equal([
      '5 198.51.100.12 198.51.100.12 (default/local) is now routed to n1; before, to n1, n2; n2: last endpoints end, only the flows that are there stay',
    ]);
  });

  it('names few nodes of many, and of a move those that came and went', async () => {
    const story = new Story();
    const many = Array.from({ length: 40 }, (_, i) => node(`n${i + 10}`, [`10.0.0.${i + 10}`]));
    const ten = 'n10, n11, n12, n13, n14, n15, n16, n17, n18, n19';
    const scene = new Scene(snapshot(many.slice(0, 39), [web]));
    const [routed] = await story.round(scene);
    expect(routed).to.equal(`5 198.51.100.10 198.51.100.10 (default/web) is routed to ${ten} and 29 more`);
    const moves: readonly (readonly [readonly Node[], string])[] = [
      [many, '40 nodes, with n49'],
      [many.slice(2), '38 nodes, without n10, n11'],
      [[...many.slice(0, 2), ...many.slice(3)], '39 nodes, with n10, n11 and without n12'],
      [
        many.slice(0, 10),
        '10 nodes, with n12 and without n20, n21, n22, n23, n24, n25, n26, n27, n28, n29 and 20 more',
      ],
    ];
    for (const [nodes, words] of moves) {
      scene.cluster = snapshot(nodes, [web]);
      // The guard holds the nexthops of so many.
      const lines = (await story.round(scene)).filter((line) => line.startsWith('5'));
      expect(lines).to.deep.equal([`5 198.51.100.10 198.51.100.10 (default/web) is now routed to ${words}`]);
    }
  });

  it('warns of a repair once, and then once in a minute with how often', async () => {
    const story = new Story();
    const scene = new Scene(snapshot(threeNodes, [web]));
    await story.round(scene);
    const disturb = async (): Promise<readonly string[]> => {
      const route = scene.world.objects.get(webRoute);
      if (route) scene.world.delete(route);
      return await story.round(scene, 'route');
    };
    const words =
      '198.51.100.10 (default/web): its route was changed or removed by another program; it is restored';
    expect(await disturb()).to.deep.equal([`4 198.51.100.10 ${words}`]);
    expect(await disturb()).to.deep.equal([]);
    story.now += 59_999;
    expect(await disturb()).to.deep.equal([]);
    story.now += 1;
    expect(await story.round(scene)).to.deep.equal([`4 198.51.100.10 ${words} (2 times in 60 s)`]);
    story.now += 60_000;
    expect(await story.round(scene)).to.deep.equal([]);
    expect(await disturb()).to.deep.equal([`4 198.51.100.10 ${words}`]);
  });

  it('tells a lot of changes as a number', async () => {
    const story = new Story();
    const many = Array.from({ length: 30 }, (_, i) => service(`s${i}`, [`198.51.100.${100 + i}`]));
    const lines = await story.round(new Scene(snapshot(threeNodes, many)));
    expect(lines.filter((line) => line.includes('is routed to'))).to.have.length(20);
    expect(lines).to.include('5 - 10 more EIPs changed in the same round');
  });

  it('tells that the kernel cannot be read once, and when it can again', async () => {
    const story = new Story();
    const scene = new Scene(snapshot(threeNodes, []));
    await story.round(scene);
    const unreadable = { error: new KernelError('ENOBUFS', ''), failures: 1, retryIn: 100 };
    story.journal.kernelUnreadable(unreadable);
    story.journal.kernelUnreadable({ ...unreadable, failures: 2 });
    expect(story.told()).to.deep.equal([
      '3 - cannot read the kernel: ENOBUFS; routes stay as they are, and it is tried again',
    ]);
    expect(await story.round(scene)).to.deep.equal(['6 - the kernel can be read again']);
  });

  it('tells a problem with what to do about it, and under the EIP that it was solved', async () => {
    const story = new Story();
    const outside = service('far', ['203.0.113.99']);
    const scene = new Scene(snapshot(threeNodes, [outside]));
    const [problem] = (await story.round(scene)).filter((line) => line.startsWith('4'));
    expect(problem).to.match(/^4 203\.0\.113\.99 .*pool.*; .+/);
    expect(await story.round(scene)).to.deep.equal([]);
    scene.cluster = snapshot(threeNodes, []);
    expect(await story.round(scene)).to.deep.equal([
      '6 203.0.113.99 resolved: Service default/far asks for 203.0.113.99, which is in none of the configured pools',
    ]);
  });

  describe('of a Service that is written again and again', () => {
    const words = (at: number): string =>
      `Service default/far asks for 203.0.113.${at}, which is in none of the configured pools`;
    const rewrite = async (story: Story, scene: Scene, at: number): Promise<readonly string[]> => {
      scene.cluster = snapshot(threeNodes, at === 0 ? [] : [service('far', [`203.0.113.${at}`])]);
      const told = await story.round(scene);
      return told
        .filter((line) => /^[46] 203/.test(line))
        .map((line) => line.replace(/;.*?($|( \(\d+ times.*))/, '$2'));
    };

    it('tells the first four changes, and then once in a minute how it is, and how often it changed', async () => {
      const story = new Story();
      const scene = new Scene(snapshot(threeNodes, []));
      await story.round(scene);
      expect(await rewrite(story, scene, 1)).to.deep.equal([`4 203.0.113.1 ${words(1)}`]);
      for (const at of [2, 3, 4]) {
        expect(await rewrite(story, scene, at)).to.deep.equal([
          `4 203.0.113.${at} ${words(at)}`,
          `6 203.0.113.${at - 1} resolved: ${words(at - 1)}`,
        ]);
      }
      for (let at = 5; at < 105; at += 1) expect(await rewrite(story, scene, at)).to.deep.equal([]);
      story.now += 59_999;
      expect(await rewrite(story, scene, 104)).to.deep.equal([]);
      story.now += 1;
      expect(await rewrite(story, scene, 104)).to.deep.equal([
        `4 203.0.113.104 ${words(104)} (100 times in 60 s)`,
        `6 203.0.113.4 resolved: ${words(4)} (100 times in 60 s)`,
      ]);
      expect(await rewrite(story, scene, 0)).to.deep.equal([]);
      story.now += 60_000;
      expect(await rewrite(story, scene, 0)).to.deep.equal([
        `6 203.0.113.104 resolved: ${words(104)} (1 times in 60 s)`,
      ]);
      story.now += 60_000;
      expect(await rewrite(story, scene, 0)).to.deep.equal([]);
      expect(await rewrite(story, scene, 7)).to.deep.equal([`4 203.0.113.7 ${words(7)}`]);
    });

    it('holds nothing of another one back', async () => {
      const story = new Story();
      const scene = new Scene(snapshot(threeNodes, []));
      await story.round(scene);
      for (let at = 1; at < 10; at += 1) await rewrite(story, scene, at);
      scene.cluster = snapshot(threeNodes, [
        service('far', ['203.0.113.10']),
        service('other', ['203.0.113.99']),
      ]);
      const told = await story.round(scene);
      expect(told.filter((line) => line.includes('default/other'))).to.have.length(1);
      expect(told.filter((line) => line.includes('default/far'))).to.deep.equal([]);
    });
  });

  it('bounds the records of a kind in a storm, counts the rest, and tells problems all the same', async () => {
    const story = new Story();
    const at = (name: string) => service('web', ['198.51.100.10'], { endpoints: [endpoint(name)] });
    const local = (name: string) => ({ ...at(name), externalTrafficPolicy: 'Local' as const });
    const scene = new Scene(snapshot(threeNodes, [local('n1')]));
    await story.round(scene);
    const storm = async (rounds: number): Promise<readonly string[]> => {
      const told: string[] = [];
      for (let i = 0; i < rounds; i += 1) {
        scene.cluster = snapshot(threeNodes, [local(i % 2 === 0 ? 'n2' : 'n1')]);
        told.push(...(await story.round(scene)));
        story.now += 10;
      }
      return told;
    };
    const told = await storm(1200);
    expect(told.filter((line) => line.includes('is now routed to'))).to.have.length(1000);
    scene.cluster = snapshot(threeNodes, [service('out', ['203.0.113.77'])]);
    expect((await story.round(scene)).join('\n'), 'a problem').to.include('203.0.113.77');
    story.now += 30_000;
    expect(await story.round(scene)).to.deep.equal([
      '5 - 202 more records of the kind "round" in 42 s were left out; "eiproute status" says how it is now',
      '5 - 200 more records of the kind "eip-moved" in 42 s were left out; "eiproute status" says how it is now',
    ]);
    expect((await storm(2)).join('\n'), 'a new window').to.include('is now routed to');
  });
});
