import { expect } from 'chai';
import { RoutedEips } from '../../../src/daemon/routed-eips.ts';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { Actual } from '../../../src/reconcile/actual.ts';
import { group, groupId, route } from '../../contract/objects.ts';
import { gateway, listing } from '../../scene.ts';

describe('the EIPs whose packets come to their routes', () => {
  const ours = { nhid: groupId(1), hops: [] };
  const actual = new Actual(
    listing([
      group(groupId(1), [1]),
      route('198.51.100.10', ours),
      route('192.0.2.10', ours),
      // Of the announce table, of a question by way of one node, and one that leads nowhere.
      route('198.51.100.10', { table: 86, type: 'blackhole', hops: [] }),
      route('198.51.100.11', { ...ours, table: 1086 }),
      route('198.51.100.12', { type: 'blackhole', hops: [] }),
    ]),
  );
  const walk = (settings = gateway()) =>
    new RoutedEips({ gateway: () => settings, actual: () => actual })
      .walk()
      .filter((eip) => eip !== undefined);

  it('are those of the table with a route to nodes', () => {
    expect([...walk()]).to.deep.equal(['198.51.100.10', '192.0.2.10']);
    const routed = new RoutedEips({ gateway: () => gateway(), actual: () => actual });
    expect(routed.has(parseIp('198.51.100.10'))).to.equal(true);
    for (const eip of ['198.51.100.11', '198.51.100.12', '198.51.100.13'])
      expect(routed.has(parseIp(eip)), eip).to.equal(false);
  });

  it('are not those of mode nat: their packets have the address of a node by then', () => {
    const [first, second] = gateway().pools;
    if (first === undefined || second === undefined) throw new Error('no pools');
    expect([...walk(gateway({ pools: [{ ...first, mode: 'nat' }, second] }))]).to.deep.equal(['192.0.2.10']);
    expect([...walk(gateway({ mode: 'nat' }))]).to.deep.equal([]);
    const everything = { ...first, addresses: [parsePrefix('0.0.0.0/0')] };
    expect([...walk(gateway({ mode: 'nat', pools: [{ ...everything, mode: 'routed' }] }))]).to.have.length(2);
  });

  it('are none before the first dump', () => {
    expect([...new RoutedEips({ gateway: () => gateway(), actual: () => undefined }).walk()]).to.deep.equal(
      [],
    );
  });
});
