import { expect } from 'chai';
import { nothing } from '../../../src/cluster/delta.ts';
import { readerOf } from '../../../src/desire/cluster-reader.ts';
import { PathTable } from '../../../src/desire/path-table.ts';
import { ServiceTable } from '../../../src/desire/service-table.ts';
import type { Node, Service } from '../../../src/model/cluster.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import { endpoint, gateway, node, service, snapshot, threeNodes } from '../../scene.ts';

const eips = ['198.51.100.10', '198.51.100.11', '198.51.100.12'].map(parseIp);

/** Services under Local, each with an EIP, and the nodes of its endpoints. */
function locals(on: readonly (readonly string[])[]): readonly Service[] {
  return on.map((nodes, i) =>
    service(`s${i}`, [eips[i] ?? ''], {
      externalTrafficPolicy: 'Local',
      endpoints: nodes.map((node) => endpoint(node)),
    }),
  );
}

/** The node n3 goes, and others come. */
function withoutN3(services: readonly Service[], others: readonly Node[] = []) {
  const table = new ServiceTable();
  const paths = new PathTable(gateway(), table);
  const before = snapshot(threeNodes, services);
  table.read('all', readerOf(before));
  paths.update(before, 'all');
  paths.takeHistory();
  const sets = services.map((_, i) => paths.set(eips[i] ?? parseIp('198.51.100.99')));
  const after = snapshot([...threeNodes.filter(({ name }) => name !== 'n3'), ...others], services);
  const changes = paths.update(after, { services: [], byEvent: { ...nothing.byEvent, nodes: true } });
  /** Services change, later. */
  const change = (to: readonly Service[]): void => {
    const later = snapshot(after.nodes, to);
    const read = table.read('all', readerOf(later));
    paths.update(later, { services: read, byEvent: nothing.byEvent });
  };
  return { paths, sets, changes, change, resolved: changes.eips.map(({ eip }) => eip) };
}

describe('a node that goes', () => {
  it('changes a set of EIPs that are alike, and none of the EIPs', () => {
    const { paths, sets, changes, resolved } = withoutN3(locals([['n1', 'n3'], ['n1', 'n3'], ['n2']]));
    expect(resolved).to.deep.equal([]);
    expect([...changes.sets].filter((set) => sets.includes(set))).to.deep.equal([sets[0]]);
    expect(eips.map((eip) => paths.path(eip)?.carriers.map(({ node }) => node))).to.deep.equal([
      ['n1'],
      ['n1'],
      ['n2'],
    ]);
  });

  it('leaves a set that others join who come to its nodes', () => {
    const { paths, sets, change } = withoutN3(locals([['n1', 'n3'], ['n2']]));
    change(locals([['n1', 'n3'], ['n1']]));
    const [first, second] = eips.map((eip) => paths.set(eip));
    expect(first).to.equal(sets[0]);
    expect(second).to.equal(sets[0]);
  });

  it('has the EIPs resolved that come to those of another set', () => {
    const { paths, resolved } = withoutN3(locals([['n1', 'n3'], ['n1', 'n3'], ['n1']]));
    expect(resolved).to.have.members(eips.slice(0, 2));
    expect(new Set(eips.map((eip) => paths.set(eip))).size).to.equal(1);
  });

  it('has the EIPs resolved that no other node serves', () => {
    expect(withoutN3(locals([['n3'], ['n3']])).resolved).to.have.members(eips.slice(0, 2));
  });

  it('has the EIPs of a set resolved that are not alike', () => {
    const services = locals([
      ['n1', 'n3'],
      ['n1', 'n3', 'n4'],
    ]);
    const { paths, resolved } = withoutN3(services, [node('n4', ['10.0.0.14'])]);
    expect(resolved).to.have.members(eips.slice(0, 2));
    expect(eips.slice(0, 2).map((eip) => paths.path(eip)?.carriers.length)).to.deep.equal([1, 2]);
  });

  it('has the EIPs resolved that leave others in their set', () => {
    const services = locals([['n1'], ['n1', 'n4']]);
    const { paths, resolved } = withoutN3(services, [node('n4', ['10.0.0.14'])]);
    expect(resolved).to.deep.equal([eips[1]]);
    expect(eips.slice(0, 2).map((eip) => paths.path(eip)?.carriers.length)).to.deep.equal([1, 2]);
  });

  it('moves the EIPs of a set, without those that are told of by themselves', () => {
    const { paths } = withoutN3(
      locals([
        ['n1', 'n3'],
        ['n1', 'n3'],
        ['n1', 'n3'],
      ]),
    );
    const told = new Set<Ip>(eips.slice(0, 1));
    const { first, count } = paths.takeHistory().moved(9, () => told);
    expect(count).to.equal(2);
    expect(first.map(({ eip }) => eip)).to.deep.equal(eips.slice(1));
  });
});
