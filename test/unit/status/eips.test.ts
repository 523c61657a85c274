import { expect } from 'chai';
import { parseIp } from '../../../src/model/ip.ts';
import type { Route } from '../../../src/model/object.ts';
import {
  type LateCarrier,
  type LateCarriers,
  nobodyLately,
  type Standing,
} from '../../../src/model/probed.ts';
import { type EipStatus, eipStatuses, isAsked, lateCarriers } from '../../../src/status/eips.ts';
import { endpoint, Scene, service, snapshot, threeNodes } from '../../scene.ts';

async function eips(
  scene: Scene,
  silent: readonly string[] = [],
  standings: Readonly<Record<string, Standing>> = {},
  lately: LateCarriers = nobodyLately,
  shadowed: readonly string[] = [],
): Promise<readonly EipStatus[]> {
  const report = await scene.round('link');
  const { gatewayDesire } = scene.role;
  if (gatewayDesire === undefined) throw new Error('a scene without tables');
  return [
    ...eipStatuses({
      paths: gatewayDesire.paths.paths(),
      table: 254,
      actual: scene.reconciler.actual,
      desired: gatewayDesire.table,
      report,
      silent: new Set(silent.map(parseIp)),
      standings: new Map(Object.entries(standings).map(([ip, standing]) => [parseIp(ip), standing])),
      lately,
      isShadowed: (eip) => shadowed.includes(eip),
    }),
  ];
}

function short({ eip, state, services, nodes }: EipStatus): string {
  const to = nodes
    .map(({ name, silent, standing }) => `${name}${silent ? '!' : ''}${standing ? `(${standing})` : ''}`)
    .join(' ');
  return `${eip} ${state} ${services.join(',')} > ${to}`;
}

const web = service('web', ['198.51.100.10']);
const local = service('local', ['198.51.100.11'], {
  externalTrafficPolicy: 'Local',
  endpoints: [endpoint('n2')],
});
const idle = service('idle', ['198.51.100.12'], { endpoints: [] });

describe('the EIPs', () => {
  it('are shown as the kernel has them, with the nodes that do not answer', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, local, idle]));
    scene.world.add({
      kind: 'route',
      table: 254,
      dst: '198.51.100.11/32' as Route['dst'],
      metric: 0,
      protocol: 4,
      type: 'blackhole',
      nhid: undefined,
      hops: [],
      src: undefined,
    });
    expect((await eips(scene, ['10.0.0.12'])).map(short).sort()).to.deep.equal([
      '198.51.100.10 routed default/web > n1 n2! n3',
      '198.51.100.11 conflict default/local > n2!',
      '198.51.100.12 idle default/idle > ',
    ]);
  });

  it('are shown with the nodes that drain', async () => {
    const scene = new Scene(snapshot(threeNodes, [web]));
    const standings = { '10.0.0.11': 'draining', '10.0.0.12': 'drained', '10.0.0.13': 'silent' } as const;
    expect((await eips(scene, ['10.0.0.13'], standings)).map(short)).to.deep.equal([
      '198.51.100.10 routed default/web > n1(draining) n2(drained) n3!(silent)',
    ]);
  });

  it('are shown with the nodes that they leave, and until when, also where these drain', async () => {
    const until = Date.UTC(2026, 0, 8);
    const late = new Map<string, LateCarrier>([
      ['n1', { standing: 'leaving', ip: parseIp('10.0.0.11'), until }],
      ['n2', { standing: 'leaving', ip: parseIp('10.0.0.12'), until }],
      ['n3', { standing: 'covered', ip: undefined, until }],
    ]);
    const lately: LateCarriers = (name, of) => (name === 'default/local' && of === 4 ? late : new Map());
    const found = await eips(new Scene(snapshot(threeNodes, [web, local])), ['10.0.0.11'], {}, lately);
    // It carries again, and nothing is uneven with one carrier.
    expect(found.map(short).sort()).to.deep.equal([
      '198.51.100.10 routed default/web > n1! n2 n3',
      '198.51.100.11 routed default/local > n2 n1!(leaving)',
    ]);
    const [one] = found.filter((eip) => isAsked(eip, 'n1') && isAsked(eip, 'local'));
    expect(one?.nodes.map((node) => node.until)).to.deep.equal([undefined, '2026-01-08T00:00:00.000Z']);
  });

  it('are shown with the nodes that others cover for, where the parts of these differ', () => {
    const late = new Map<string, LateCarrier>([['n1', { standing: 'covered', ip: undefined, until: 0 }]]);
    const weighed = (...weights: readonly number[]): readonly string[] => {
      const carriers = weights.map((weight, i) => ({
        node: `n${i + 2}`,
        ip: parseIp(`10.0.0.1${i}`),
        weight,
      }));
      const path = { eip: parseIp('198.51.100.10'), services: ['default/web'], carriers };
      return [...lateCarriers(path, () => late).keys()];
    };
    expect([weighed(2, 1), weighed(1, 1), weighed()]).to.deep.equal([['n1'], [], []]);
  });

  it('are missing without a LAN', async () => {
    const scene = new Scene(snapshot(threeNodes, [web]));
    scene.settings = { ...scene.settings, lan: 'enp9s0' };
    expect((await eips(scene)).map(short)).to.deep.equal(['198.51.100.10 missing default/web > n1 n2 n3']);
  });

  it('are shadowed while the kernel takes another route, unless they have none of their own', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, local, idle]));
    const all = ['198.51.100.10', '198.51.100.12'];
    expect((await eips(scene, [], {}, nobodyLately, all)).map(short).sort()).to.deep.equal([
      '198.51.100.10 shadowed default/web > n1 n2 n3',
      '198.51.100.11 routed default/local > n2',
      '198.51.100.12 idle default/idle > ',
    ]);
  });

  it('are outdated while the kernel refuses their change', async () => {
    const scene = new Scene(snapshot(threeNodes, [web, local]));
    await scene.round();
    const moved = { ...local, endpoints: [endpoint('n3')] };
    scene.cluster = snapshot(threeNodes, [web, moved]);
    for (let i = 0; i < 9; i += 1) scene.kernel.failNext(({ verb }) => verb !== 'delete', 'EPERM');
    expect((await eips(scene)).map(short).sort()).to.deep.equal([
      '198.51.100.10 routed default/web > n1 n2 n3',
      '198.51.100.11 outdated default/local > n3',
    ]);
  });

  it('are found by address, by Service and by node', async () => {
    const all = await eips(new Scene(snapshot(threeNodes, [web, local, idle])));
    const of = (filter: string) => all.filter((one) => isAsked(one, filter)).map(({ eip }) => eip);
    expect(of('198.51.100.10')).to.deep.equal(['198.51.100.10']);
    expect(of('default/local')).to.deep.equal(['198.51.100.11']);
    expect(of('local')).to.deep.equal(['198.51.100.11']);
    expect(of('n2').sort()).to.deep.equal(['198.51.100.10', '198.51.100.11']);
    expect(of('al')).to.deep.equal([]);
  });
});
