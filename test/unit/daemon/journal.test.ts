import { expect } from 'chai';
import { Journal } from '../../../src/daemon/journal.ts';
import { KernelError } from '../../../src/kernel/kernel.ts';
import { createLog } from '../../../src/log.ts';
import type { Feed } from '../../../src/model/cluster.ts';
import { Scene, service, snapshot, threeNodes } from '../../scene.ts';

const names = (index: number): string => ['', 'lo', 'eth0', 'eth1'][index] ?? `if${index}`;

/** A journal over a scene; {@link Diary.lines} are `level words subject`, since the last time they were read. */
class Diary {
  readonly scene: Scene;
  readonly journal: Journal;
  #lines: string[] = [];

  constructor(scene: Scene) {
    this.scene = scene;
    const write = (text: string): void => {
      const record: unknown = JSON.parse(text);
      const facts = Object.assign(
        { level: '', msg: '', eip: '', subject: '', was: '', object: '', more: '' },
        record,
      );
      const about = facts.was || facts.object || facts.eip || facts.subject || facts.more;
      this.#lines.push(`${facts.level} ${facts.msg} ${about}`.trim());
    };
    this.journal = new Journal(createLog({ level: 'info', format: 'json', stream: { write }, env: {} }));
  }

  async round(kind: 'cluster' | 'route' | 'link' = 'cluster'): Promise<readonly string[]> {
    this.journal.round(await this.scene.round(kind), names);
    return this.lines();
  }

  lines(): readonly string[] {
    const lines = this.#lines;
    this.#lines = [];
    return lines;
  }
}

const web = service('web', ['198.51.100.10']);
const outside = service('out', ['203.0.113.77']);

describe('the journal', () => {
  it('tells each EIP that comes, moves and goes, and the round', async () => {
    const diary = new Diary(new Scene(snapshot(threeNodes, [web])));
    expect(await diary.round()).to.deep.equal([
      'info EIP routed 198.51.100.10',
      'info round',
      'info all lists are in',
    ]);
    expect(await diary.round()).to.deep.equal([]);
    diary.scene.cluster = snapshot(threeNodes, []);
    expect(await diary.round()).to.deep.equal(['info EIP withdrawn 198.51.100.10', 'info round']);
  });

  it('tells once of an EIP whose route goes to another table', async () => {
    const diary = new Diary(new Scene(snapshot(threeNodes, [web])));
    await diary.round();
    diary.scene.settings = { ...diary.scene.settings, table: 100 };
    expect(await diary.round('link')).to.deep.equal(['info EIP withdrawn 198.51.100.10', 'info round']);
  });

  it('tells a problem once when it begins and once when it ends', async () => {
    const diary = new Diary(new Scene(snapshot(threeNodes, [outside])));
    expect((await diary.round()).filter((line) => line.startsWith('warn'))).to.have.length(1);
    expect(await diary.round()).to.deep.equal([]);
    expect(await diary.round('route')).to.deep.equal([]);
    diary.scene.cluster = snapshot(threeNodes, []);
    expect(await diary.round()).to.deep.equal([
      'info solved eip-outside-pools 203.0.113.77 of Service default/out',
    ]);
    expect(await diary.round()).to.deep.equal([]);
  });

  it('does not walk the problems that stand, in a round that finds the same list of them', async () => {
    const diary = new Diary(new Scene(snapshot(threeNodes, [outside])));
    const report = await diary.scene.round('cluster');
    diary.journal.round(report, names);
    let walks = 0;
    const problems = new Proxy(report.problems, {
      get: (of, name) => {
        walks += 1;
        return Reflect.get(of, name);
      },
    });
    diary.journal.round({ ...report, problems }, names);
    expect(walks).to.be.greaterThan(0);
    walks = 0;
    diary.journal.round({ ...report, problems }, names);
    expect(walks).to.be.at.most(1);
  });

  it('tells a refusal once, though it is refused again and again', async () => {
    const diary = new Diary(new Scene(snapshot(threeNodes, [web])));
    const route = 'route 254 198.51.100.10/32 0';
    const told: (readonly string[])[] = [];
    for (const errno of ['EPERM', 'ENOBUFS', undefined]) {
      if (errno !== undefined)
        diary.scene.kernel.failNext(
          (change) => change.verb === 'add' && change.want.kind === 'route' && change.want.nhid !== undefined,
          errno,
        );
      told.push((await diary.round('route')).filter((line) => !line.startsWith('info round')));
    }
    expect(told[0]?.filter((line) => line.startsWith('error'))).to.deep.equal([
      'error refused by the kernel; it is tried again route 198.51.100.10 nhid 260000000 proto 86',
    ]);
    expect(told[1]).to.deep.equal([]);
    expect(told[2]).to.deep.equal(['info EIP routed 198.51.100.10', `info solved refused ${route}`]);
  });

  it('tells a hold once, though more and more is held', async () => {
    const ten = Array.from({ length: 10 }, (_, i) => service(`s${i}`, [`198.51.100.${10 + i}`]));
    const diary = new Diary(new Scene(snapshot(threeNodes, ten)));
    await diary.round();
    diary.scene.cluster = snapshot(threeNodes, ten.slice(8));
    expect(await diary.round()).to.deep.equal([
      'error too much would vanish at once: held; "eiproute release" lets it go',
    ]);
    diary.scene.cluster = snapshot(threeNodes, ten.slice(9));
    expect(await diary.round()).to.deep.equal([]);
    diary.scene.cluster = snapshot(threeNodes, ten);
    expect(await diary.round()).to.deep.equal(['info solved held']);
  });

  it('tells a fight once, though it goes on', async () => {
    const diary = new Diary(new Scene(snapshot(threeNodes, [web])));
    const all: string[] = [];
    for (let i = 0; i < 9; i += 1) {
      all.push(...(await diary.round('route')));
      const route = diary.scene.world.objects.get('route 254 198.51.100.10/32 0');
      if (route) diary.scene.world.delete(route);
      diary.scene.now += 700;
    }
    expect(all.filter((line) => line.startsWith('error'))).to.have.length(1);
  });

  it('folds a storm: a handful of lines, and how many more', async () => {
    const many = Array.from({ length: 100 }, (_, i) => service(`s${i}`, [`198.51.100.${10 + i}`]));
    const lost = Array.from({ length: 100 }, (_, i) => service(`x${i}`, [`203.0.113.${10 + i}`]));
    const diary = new Diary(new Scene(snapshot(threeNodes, [...many, ...lost])));
    const first = await diary.round();
    expect(first.filter((line) => line.startsWith('info EIP routed'))).to.have.length(20);
    expect(first.filter((line) => line.startsWith('warn'))).to.have.length(21);
    expect(first).to.include('warn and more of the same 80');
    diary.scene.cluster = snapshot(threeNodes, many);
    const solved = await diary.round();
    expect(solved.filter((line) => line.startsWith('info solved'))).to.have.length(20);
    expect(solved).to.include('info and more solved 80');
    expect(await diary.round()).to.deep.equal([]);
  });

  it('says what was put right', async () => {
    const diary = new Diary(new Scene(snapshot(threeNodes, [web])));
    await diary.round();
    const nexthop = diary.scene.world.objects.get('nexthop 250000001');
    if (nexthop === undefined) throw new Error('no nexthop');
    diary.scene.world.delete(nexthop);
    expect(await diary.round('route')).to.deep.equal([
      'warn repaired nexthop id 250000001 via 10.0.0.12 dev eth0 proto 86',
      'warn repaired group id 260000000 group 250000000/250000001/250000002 proto 86',
      'info round',
    ]);
  });

  it('tells when a feed goes silent and when it is back, each list by itself', () => {
    const diary = new Diary(new Scene(snapshot([], [])));
    const feed = (trouble: string | undefined): Feed => ({
      resource: 'nodes',
      synced: true,
      heard: 0,
      trouble,
    });
    const lines = [undefined, 'ECONNREFUSED', 'ECONNREFUSED', undefined, undefined].map((trouble) => {
      diary.journal.feeds(snapshot([], [], { feeds: [feed(trouble)] }));
      return diary.lines().length;
    });
    expect(lines).to.deep.equal([0, 1, 0, 1, 0]);
  });

  it('says when the kernel cannot be read', () => {
    const diary = new Diary(new Scene(snapshot([], [])));
    diary.journal.kernelUnreadable({ error: new KernelError('EIO', ''), failures: 1, retryIn: 100 });
    expect(diary.lines()).to.deep.equal(['error cannot read the kernel; routes stay as they are']);
  });
});
