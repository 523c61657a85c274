import { expect } from 'chai';
import type { Service } from '../../../src/model/cluster.ts';
import { family, type Ip, parseIp } from '../../../src/model/ip.ts';
import type { ByFamily } from '../../../src/model/probed.ts';
import { endingNodes, LeavingTable } from '../../../src/probe/leaving-table.ts';
import { endpoint, service } from '../../scene.ts';

const key = 'default/web';
const limit = 300_000;
const addresses: Readonly<Record<string, Ip>> = {
  n1: parseIp('10.0.0.11'),
  n2: parseIp('10.0.0.12'),
  n3: parseIp('10.0.0.13'),
};

/** `n1 n2- n3x`: n1 is ready, n2 ends and serves, n3 ends and serves no more. */
function web(on: string, name = 'web', eips: readonly string[] = ['198.51.100.10']): Service {
  const endpoints = on
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => {
      const isReady = one.length === 2;
      return endpoint(one.slice(0, 2), {
        ready: isReady,
        serving: !one.endsWith('x'),
        terminating: !isReady,
      });
    });
  return service(name, [...eips], { externalTrafficPolicy: 'Local', endpoints });
}

/** Those that kube-proxy sends new connections to; see `usable` in the desire. */
function carrying({ endpoints }: Service): ByFamily {
  const ready = endpoints.filter((one) => one.ready);
  const chosen = ready.length > 0 ? ready : endpoints.filter((one) => one.serving);
  return { 4: new Set(chosen.flatMap(({ node }) => node ?? [])), 6: new Set() };
}

/** A table on a clock that is played. */
class Play {
  now = 0;
  readonly services = new Map<string, Service>();
  readonly table = new LeavingTable({
    carrying,
    eipsOf: (name, of) => this.services.get(name)?.ingress.filter((ip) => family(ip) === of) ?? [],
    addressOf: (node, of) => (of === 4 ? addresses[node] : undefined),
    terms: { lead: 200, longest: 2000, after: 1000, most: 3 },
  });

  read(one: Service, agents: 'told' | 'not told' = 'told'): this {
    const name = `default/${one.name}`;
    const before = this.services.get(name);
    this.services.set(name, one);
    this.table.read({ key: name, before, after: one, how: 'changed' }, agents, () => this.now);
    return this;
  }

  written(): this {
    this.table.readable(this.#told(), this.now);
    return this;
  }

  /** @returns who carries still, and what the agents are told */
  at(now: number): string {
    this.now = now;
    this.table.expire(now, limit);
    return this.toString();
  }

  toString(): string {
    const told = [...this.#told()].map(([eip, nodes]) => `${eip} by ${nodes.join(' ')}`);
    return `${[...this.table.of(key)[4]].join(' ')}; ${told.join(', ')}`;
  }

  #told() {
    return this.table.told(
      () => true,
      (ip) => ip === addresses['n3'],
    );
  }
}

const told = '198.51.100.10 by 10.0.0.11';

describe('nodes whose endpoints all end', () => {
  const cases: readonly (readonly [on: string, ending: string])[] = [
    ['n1- n2', 'n1'],
    ['n1x n2', 'n1'],
    ['n1- n1 n2', ''],
    ['n1- n2-', ''],
    ['n1', ''],
  ];
  for (const [on, ending] of cases)
    it(`are ${ending || 'none'} of ${on}`, () => {
      expect([...endingNodes(web(on), 4)].join(' ')).to.equal(ending);
    });

  it('are none under Cluster', () => {
    const cluster: Service = { ...web('n1- n2'), externalTrafficPolicy: 'Cluster' };
    expect([...endingNodes(cluster, 4)]).to.deep.equal([]);
  });
});

describe('a node that leaves a Service', () => {
  it('carries on until the agents had time to read of it, and they are told for as long as it ends', () => {
    const play = new Play().read(web('n1 n2'));
    expect([play.toString(), play.table.isIdle]).to.deep.equal(['; ', true]);
    play.now = 100;
    play.read(web('n1- n2'));
    expect(play.at(1000)).to.equal(`n1; ${told}`);
    play.written();
    expect(play.at(1199)).to.equal(`n1; ${told}`);
    expect([...play.table.takeTurned()]).to.deep.equal([]);
    // The agents can read it since the first time.
    play.written();
    expect([play.at(1200), play.table.isAhead]).to.deep.equal([`; ${told}`, false]);
    expect([...play.table.takeTurned()]).to.deep.equal([key]);
    play.read(web('n1x n2'));
    expect(play.toString()).to.equal(`; ${told}`);
    play.read(web('n2'));
    expect([play.toString(), play.table.isIdle]).to.deep.equal(['; ', true]);
  });

  it('is left after a while though nobody could be told', () => {
    const play = new Play().read(web('n1 n2')).read(web('n1- n2'));
    expect(play.at(1999)).to.equal(`n1; ${told}`);
    expect(play.at(2000)).to.equal(`; ${told}`);
  });

  it('is left at once where agents are not told, or where its traffic was with others before', () => {
    expect(new Play().read(web('n1 n2')).read(web('n1- n2'), 'not told').toString()).to.equal(`; ${told}`);
    expect(new Play().read(web('n1- n2')).toString()).to.equal(`; ${told}`);
  });

  it('is said to have left once its traffic is with others, for as long as it is told of', () => {
    const play = new Play().read(web('n1 n2'));
    const left = (): string =>
      [...play.table.left(key, 4)].map(([node, since]) => `${node} since ${since}`).join() +
      [...play.table.counts()].map(([node, count]) => `, ${count} of ${node}`).join('');
    play.now = 100;
    play.read(web('n1- n2'));
    expect(left()).to.equal('');
    play.at(2100);
    expect(left()).to.equal('n1 since 100, 1 of n1');
    expect([...play.table.left(key, 6)]).to.deep.equal([]);
    // Another Service has the same address.
    play.read(web('n1- n2', 'other'));
    expect(left()).to.equal('n1 since 100, 1 of n1');
    play.read(web('n2', 'other'));
    play.at(100 + limit);
    expect(left()).to.equal('');
    const back = new Play().read(web('n1- n2')).read(web('n1 n2'));
    expect([...back.table.left(key, 4), ...back.table.counts()]).to.deep.equal([]);
  });

  it('is told of for a while when endpoints of it are ready again', () => {
    const play = new Play().read(web('n1 n2')).read(web('n1- n2')).written();
    expect(play.at(500)).to.equal(`; ${told}`);
    play.read(web('n1- n1 n2'));
    expect(play.at(1499)).to.equal(`; ${told}`);
    expect([play.at(1500), play.table.isIdle]).to.deep.equal(['; ', true]);
  });

  it('leaves anew when it was back for a moment', () => {
    const play = new Play().read(web('n1 n2')).read(web('n1- n2')).written();
    play.at(500);
    play.read(web('n1 n2'));
    play.at(600);
    play.read(web('n1- n2'));
    expect(play.at(700)).to.equal(`n1; ${told}`);
    play.written();
    expect(play.at(900)).to.equal(`; ${told}`);
    expect(play.at(3000)).to.equal(`; ${told}`);
    play.read(web('n2'));
    expect(play.table.isIdle, 'of the first time as well').to.equal(true);
  });

  it('takes what it has along after the limit, and does not begin anew', () => {
    const play = new Play().read(web('n1 n2')).read(web('n1- n2'));
    expect(play.at(limit - 1)).to.equal(`; ${told}`);
    expect([play.at(limit), play.table.isIdle]).to.deep.equal(['; ', true]);
    play.read(web('n1x n2'));
    expect(play.toString()).to.equal('; ');
  });

  it('begins to leave when others become ready, and carries all as long as none is', () => {
    const play = new Play().read(web('n1')).read(web('n1-'));
    expect(play.toString()).to.equal('; ');
    play.read(web('n1- n2'));
    expect(play.toString()).to.equal(`n1; ${told}`);
    play.read(web('n1- n2-'));
    expect(play.at(0)).to.equal(`; ${told}`);
    expect(play.at(1000)).to.equal('; ');
  });

  it('is told to nobody while it is silent', () => {
    // The routes leave a silent node out by themselves.
    expect(new Play().read(web('n2 n3')).read(web('n2 n3-')).toString()).to.equal('n3; ');
  });

  it('is left at once, and told to nobody, where too many are told of already', () => {
    const two = ['198.51.100.11', '198.51.100.12'];
    const play = new Play().read(web('n1 n2', 'a', two)).read(web('n1- n2', 'a', two));
    play.read(web('n1 n2', 'web', two)).read(web('n1- n2', 'web', two));
    expect(play.toString()).to.equal('; 198.51.100.11 by 10.0.0.11, 198.51.100.12 by 10.0.0.11');
    play
      .read(web('n2', 'a', two))
      .read(web('n1 n2', 'web', two))
      .read(web('n1- n2', 'web', two));
    expect(play.toString()).to.equal('n1; 198.51.100.11 by 10.0.0.11, 198.51.100.12 by 10.0.0.11');
  });

  it('is told of with as many others as there is room for, and for no longer than it leaves where there is none', () => {
    const three = ['198.51.100.11', '198.51.100.12', '198.51.100.13'];
    const play = new Play().read(web('n1 n2', 'a', three)).read(web('n1- n2', 'a', three));
    play.read(web('n1 n2')).read(web('n1- n2'));
    expect(play.toString()).to.equal(`; ${three.map((eip) => `${eip} by 10.0.0.11`).join(', ')}`);
    play.read(web('n1 n2')).read(web('n2', 'a', three));
    expect(play.table.isIdle).to.equal(true);
  });

  it('is forgotten with the Service', () => {
    const play = new Play().read(web('n1 n2')).read(web('n1- n2'));
    const before = play.services.get(key);
    play.table.read({ key, before, after: undefined, how: 'changed' }, 'told', () => 0);
    expect([play.toString(), play.table.isIdle, play.table.isAhead]).to.deep.equal(['; ', true, false]);
  });
});
