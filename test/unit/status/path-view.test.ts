import { expect } from 'chai';
import { readerOf } from '../../../src/desire/cluster-reader.ts';
import type { Service } from '../../../src/model/cluster.ts';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { type LateCarrier, type LateCarriers, nobodyLately, unprobed } from '../../../src/model/probed.ts';
import { type PathView, pathTarget, pathViews } from '../../../src/status/path-view.ts';
import { endpoint, gateway, node, request, service, snapshot } from '../../scene.ts';

const nodes = [
  node('n1', ['10.0.0.11']),
  node('n2', ['10.0.0.12'], { excludeLabel: '' }),
  node('n3', ['2001:db8:10::13']),
  node('n4', ['10.0.0.14']),
];
const local = { externalTrafficPolicy: 'Local', endpoints: [endpoint('n1'), endpoint('n4')] } as const;
const cluster = snapshot(nodes, [
  service('web', ['198.51.100.10'], local),
  service('late', [], { externalIps: [parseIp('198.51.100.10')], namespace: 'a' }),
  service('bare', []),
]);
const settings = gateway({ pools: [{ name: 'public', addresses: [parsePrefix('198.51.100.0/24')] }] });

function viewsOf(
  text: string,
  waiting: readonly string[] = [],
  lately: LateCarriers = nobodyLately,
): readonly PathView[] {
  const none = new Set<string>();
  return pathViews(pathTarget(text), {
    cluster: readerOf(cluster),
    lan: [parseIp('10.0.0.1')],
    gateway: settings,
    lately,
    probed:
      waiting.length === 0 ? unprobed : { ...unprobed, waiting: () => ({ 4: new Set(waiting), 6: none }) },
    problems: [
      {
        code: 'service-asks-otherwise',
        severity: 'warn',
        subject: 's',
        message: 'about bare',
        advice: '',
        service: 'default/bare',
      },
      {
        code: 'eip-duplicate',
        severity: 'warn',
        subject: 's',
        message: 'about it',
        advice: '',
        eip: parseIp('198.51.100.10'),
      },
    ],
  });
}

describe('pathViews', () => {
  it('says of an EIP its pool, its Services, its carriers, and why the others are left out', () => {
    const [view] = viewsOf('198.51.100.10');
    expect(view?.pool).to.deep.equal({ name: 'public', networks: ['198.51.100.0/24'] });
    expect(
      view?.services.map(({ name, holds, endpoints, nodes: on }) => ({ name, holds, endpoints, on })),
    ).to.deep.equal([
      { name: 'default/web', holds: true, endpoints: 2, on: 2 },
      { name: 'a/late', holds: false, endpoints: 1, on: 1 },
    ]);
    expect(view?.carriers.map(({ node: name }) => name)).to.deep.equal(['n1', 'n4']);
    expect(view?.leftOut).to.deep.equal([
      { node: 'n2', why: 'label node.kubernetes.io/exclude-from-external-load-balancers is set' },
      { node: 'n3', why: 'it has no IPv4 InternalIP' },
    ]);
    expect(view?.problems.map(({ message }) => message)).to.include('about it');
    expect(view?.problems.map(({ message }) => message)).not.to.include('about bare');
  });

  it('says of a node that the EIP has left it or is covered for, and until when', () => {
    const until = Date.UTC(2026, 0, 8);
    const iso = '2026-01-08T00:00:00.000Z';
    const at = { ip: undefined, until };
    const late: ReadonlyMap<string, LateCarrier> = new Map([
      ['n5', { ...at, standing: 'covered' }],
      ['n4', { ...at, standing: 'leaving' }],
    ] as const);
    // n1 is before the place of n5, and n6 is behind it.
    const three = [endpoint('n1'), endpoint('n2'), endpoint('n6')];
    const view = pathViews(pathTarget('198.51.100.10'), {
      cluster: readerOf(
        snapshot(
          [...nodes, node('n6', ['10.0.0.16']), node('n7', ['10.0.0.17'])],
          [service('web', ['198.51.100.10'], { ...local, endpoints: three })],
        ),
      ),
      lan: [],
      gateway: settings,
      probed: {
        ...unprobed,
        formerCarriers: () => ({ 4: new Set(['n4', 'n7']), 6: new Set() }),
      },
      lately: () => late,
      problems: [],
    })[0];
    expect(view?.leftOut.filter(({ node: name }) => late.has(name))).to.deep.equal([
      { node: 'n4', why: 'its last endpoints end, and it only keeps the flows that it has', until: iso },
      { node: 'n5', why: 'it is gone from the cluster, and the others cover for it', until: iso },
    ]);
  });

  it('shows a Service that is being deleted where no other one names the EIP', () => {
    const going = service('going', ['198.51.100.20'], { deleting: true });
    const inputs = (services: readonly Service[]) => ({
      cluster: readerOf(snapshot(nodes, services)),
      lan: [],
      gateway: settings,
      probed: unprobed,
      lately: nobodyLately,
      problems: [],
    });
    const [gone] = pathViews(pathTarget('198.51.100.20'), inputs([going]));
    expect(gone?.services.map(({ name, holds, deleting }) => ({ name, holds, deleting }))).to.deep.equal([
      { name: 'default/going', holds: false, deleting: true },
    ]);
    const heir = service('heir', ['198.51.100.20']);
    const [had] = pathViews(pathTarget('198.51.100.20'), inputs([going, heir]));
    expect(had?.services.map(({ name }) => name)).to.deep.equal(['default/heir']);
    const [of] = pathViews(pathTarget('going'), inputs([going]));
    expect(of?.services[0]?.deleting).to.equal(true);
  });

  it('says of a Service how many endpoints of the other family it has, and its host names', () => {
    const six = endpoint('n3', { ip: parseIp('2001:db8:1::1') });
    const [view] = pathViews(pathTarget('198.51.100.10'), {
      cluster: readerOf(
        snapshot(nodes, [
          {
            ...service('web', ['198.51.100.10'], { request: request({ hostnames: ['a.example'] }) }),
            endpoints: [six],
          },
        ]),
      ),
      lan: [],
      gateway: settings,
      probed: unprobed,
      lately: nobodyLately,
      problems: [],
    });
    expect(view?.services).to.have.length(1);
    expect(view?.services[0]).to.deep.include({ endpoints: 0, otherEndpoints: 1, hostnames: ['a.example'] });
  });

  it('says of a node that its kube-proxy has not said yet that it serves', () => {
    const [view] = viewsOf('198.51.100.10', ['n4']);
    expect(view?.carriers.map(({ node: name }) => name)).to.deep.equal(['n1']);
    expect(view?.leftOut.at(-1)).to.deep.equal({
      node: 'n4',
      why: 'its kube-proxy has not said yet that it serves',
    });
  });

  it('finds a Service by its whole name and by its name alone', () => {
    for (const name of ['default/web', 'web']) expect(viewsOf(name)).to.deep.equal(viewsOf('198.51.100.10'));
    expect(viewsOf('other/web')).to.deep.equal([]);
  });

  it('says of a Service without an address what is told of it', () => {
    const [view] = viewsOf('bare');
    expect(view?.eip).to.equal(undefined);
    expect(view?.problems.map(({ message }) => message)).to.deep.equal(['about bare']);
  });

  it('knows an address that nobody holds', () => {
    const [view] = viewsOf('192.0.2.1');
    expect(view).to.deep.include({ pool: undefined, services: [], carriers: [] });
  });
});
