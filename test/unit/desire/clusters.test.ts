import { expect } from 'chai';
import { nothing } from '../../../src/cluster/delta.ts';
import { readerOf } from '../../../src/desire/cluster-reader.ts';
import { PathTable } from '../../../src/desire/path-table.ts';
import { paths } from '../../../src/desire/paths.ts';
import { ServiceTable } from '../../../src/desire/service-table.ts';
import { allocatedText } from '../../../src/model/allocated-condition.ts';
import type { Service } from '../../../src/model/cluster.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { endpoint, gateway, node, request, service, snapshot } from '../../scene.ts';
import { allocation } from '../ipam/fake-cluster.ts';

const eip = '198.51.100.10';
const nodes = [
  node('east:n1', ['10.0.0.11'], { cluster: 'east' }),
  node('east:n2', ['10.0.0.12'], { cluster: 'east' }),
  node('west:n1', ['10.0.0.21'], { cluster: 'west' }),
];

/** A Service of the name `web`, in a cluster. */
function web(cluster: string, rest: Partial<Service> = {}, created = 0): Service {
  const endpoints = [endpoint(`${cluster}:n1`)];
  return service('web', [eip], { cluster, endpoints, request: request({ created }), ...rest });
}

function routed(services: readonly Service[], rest = {}): readonly string[] {
  const found = paths(snapshot(nodes, services), gateway(rest));
  return [
    ...found.paths.map(
      ({ eip: ip, services: names, carriers }) =>
        `${ip} ${names} > ${carriers.map(({ node: name }) => name).join(' ')}`,
    ),
    ...found.problems.map(({ code, severity, message }) => `${severity} ${code}: ${message}`),
  ];
}

describe('EIPs of several clusters', () => {
  it('go to the nodes of their own cluster alone, under Cluster and under Local', () => {
    expect(routed([web('east')])).to.deep.equal([`${eip} east:default/web > east:n1 east:n2`]);
    expect(routed([web('west')])).to.deep.equal([`${eip} west:default/web > west:n1`]);
    expect(routed([web('east', { externalTrafficPolicy: 'Local' })])).to.deep.equal([
      `${eip} east:default/web > east:n1`,
    ]);
  });

  const refused = (who: string, holder: string, field = 'status.loadBalancer') =>
    `eip-held-by-another: Service ${who} claims ${eip} in ${field}, which ${holder} holds, and they are in different clusters; it is not routed to it`;

  it("are the older Service's, whatever their order; the other is told whose", () => {
    const both = [web('east', {}, 2), web('west', {}, 1)];
    for (const services of [both, [...both].reverse()])
      expect(routed(services)).to.deep.equal([
        `${eip} west:default/web > west:n1`,
        `error ${refused('east:default/web', 'west:default/web')}`,
      ]);
  });

  it('are of the cluster whose name comes first when both are as old', () => {
    expect(routed([web('west', {}, 1), web('east', {}, 1)])[0]).to.match(/east:default\/web/);
  });

  it('are never shared, by a sharing key, a status or a namespace neither', () => {
    const annotations = { 'eiproute.io/sharing-key': 'k' };
    const ports = [{ name: '', protocol: 'UDP', port: 53, nodePort: 30053 }] as const;
    const one = web('east', { request: request({ created: 1, annotations }) });
    const other = web('west', { request: request({ created: 2, annotations }), ports });
    expect(routed([one, other])).to.have.length(2);
    const spec = { type: 'ClusterIP', ingress: [], externalIps: [parseIp(eip)] } as const;
    expect(routed([web('east', spec, 1), web('west', spec, 2)])).to.deep.equal([
      `${eip} east:default/web > east:n1 east:n2`,
      `warn ${refused('west:default/web', 'east:default/web', 'spec.externalIPs')}`,
    ]);
  });

  it('that were given stay with who has them, though an older Service of another cluster asks', () => {
    const condition = {
      type: 'eiproute.io/Allocated',
      status: 'True',
      reason: 'Allocated',
      message: allocatedText({ ips: [parseIp(eip)], pool: 'public', enforce: true }),
      lastTransitionTime: '',
    } as const;
    const given = web('west', { request: request({ created: 9, conditions: [condition] }) });
    expect(routed([web('east', {}, 1), given], { allocation })[0]).to.equal(
      `${eip} west:default/web > west:n1`,
    );
  });

  it('are not taken by what is remembered of a cluster that is away, but for a spec', () => {
    const clusters = ['east', 'west'].map((name) => ({
      name,
      complete: name === 'west',
      remembered: name === 'east',
    }));
    const routes = (services: readonly Service[]) => {
      const [first] = paths(snapshot(nodes, services, { clusters }), gateway()).paths;
      return first?.services.join(' ');
    };
    expect(routes([web('east', {}, 1), web('west', {}, 2)])).to.equal('west:default/web');
    const spec = { type: 'ClusterIP', ingress: [], externalIps: [parseIp(eip)] } as const;
    expect(routes([web('east', {}, 2), web('west', spec, 1)])).to.equal('east:default/web');
    expect(routes([web('east', spec, 1), web('west', spec, 2)])).to.equal('west:default/web');
    expect(routes([web('east', {}, 2)])).to.equal('east:default/web');
  });

  it('are decided anew when a cluster that was away is listed, before its Services are read again', () => {
    const services = [web('east', {}, 1), web('west', {}, 2)];
    const known = new ServiceTable();
    const table = new PathTable(gateway(), known);
    const at = (remembered: boolean) =>
      readerOf(
        snapshot(nodes, services, {
          clusters: [
            { name: 'east', complete: !remembered, remembered },
            { name: 'west', complete: true, remembered: false },
          ],
        }),
      );
    known.read('all', at(true));
    table.update(at(true).overview(), 'all');
    expect(table.path(parseIp(eip))?.services).to.deep.equal(['west:default/web']);
    table.update(at(false).overview(), { services: [], byEvent: nothing.byEvent });
    expect(table.path(parseIp(eip))?.services).to.deep.equal(['east:default/web']);
  });

  it('tell of nodes of one cluster with one address', () => {
    const twins = [
      node('n1', ['10.0.0.11', '10.0.0.11']),
      node('n2', ['10.0.0.12']),
      node('old', ['10.0.0.11']),
    ];
    const { problems } = paths(snapshot(twins, []), gateway());
    expect(problems.map(({ code, severity, subject }) => `${severity} ${code} ${subject}`)).to.deep.equal([
      'warn node-address-twice node old (10.0.0.11)',
    ]);
    expect(problems[0]?.message).to.contain('and so has node n1');
  });

  it('tell of nodes of two clusters with one address', () => {
    const twins = [...nodes, node('west:n2', ['10.0.0.12'], { cluster: 'west' })];
    const { problems } = paths(snapshot(twins, []), gateway());
    expect(problems.map(({ code, subject }) => `${code} ${subject}`)).to.deep.equal([
      'node-address-in-two-clusters node west:n2 (10.0.0.12)',
    ]);
  });
});
