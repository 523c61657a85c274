import { expect } from 'chai';
import { flowLabels, flowLabelTable, flowLabelTableName } from '../../../src/desire/flow-label.ts';
import type { Refusals } from '../../../src/model/desired-object.ts';
import type { Gateway } from '../../../src/model/gateway.ts';
import { parsePrefix } from '../../../src/model/ip.ts';
import { type KernelObject, keyOf, type NftTable } from '../../../src/model/object.ts';
import { gateway } from '../../scene.ts';

function withPools(...addresses: readonly string[]): Gateway {
  return gateway({ pools: [{ name: 'public', addresses: addresses.map(parsePrefix) }] });
}

function tableOf(settings: Gateway): NftTable {
  const table = flowLabelTable(settings);
  if (table === undefined) throw new Error('no table');
  return table;
}

function wanted(settings: Gateway, refused: Refusals) {
  const objects: KernelObject[] = [];
  const problems = flowLabels(settings, refused, (object) => objects.push(object));
  return { objects, problems };
}

describe('flow labels', () => {
  it('are zeroed to and from every IPv6 network of the pools, and no other', () => {
    const { content } = tableOf(withPools('198.51.100.0/24', '2001:db8:e::/64', '2001:db8:f::7/128'));
    for (const network of ['2001:db8:e::/64', '2001:db8:f::7/128'])
      for (const end of ['daddr', 'saddr'])
        expect(content).to.include(`ip6 ${end} ${network} ip6 flowlabel set 0\n`);
    expect(content).to.not.include('198.51.100');
  });

  it('need no table where none is read: IPv4 pools alone, or flows spread by ports', () => {
    expect(flowLabelTable(withPools('198.51.100.0/24'))).to.equal(undefined);
    expect(flowLabelTable({ ...withPools('2001:db8:e::/64'), hash: 'ports' })).to.equal(undefined);
  });

  it('have a table per protocol, none of which is the node agent’s', () => {
    const names = [86, 87].map((protocol) => tableOf(gateway({ protocol })).name);
    expect(names).to.deep.equal([86, 87].map((protocol) => flowLabelTableName(protocol).name));
    expect(new Set([...names, 'eiproute']).size).to.equal(3);
  });

  describe('whose table is refused', () => {
    const table = tableOf(gateway());
    const message = 'ENOSYS: cannot run nft: there is no program nft in PATH';
    const refused: Refusals = new Map([
      [keyOf(table), { change: { verb: 'add', want: table }, code: 'ENOSYS', message }],
    ]);

    it('are a problem in words, and the table stays wanted', () => {
      const { objects, problems } = wanted(gateway(), refused);
      expect(objects).to.deep.equal([table]);
      expect(problems.map(({ code, severity }) => [code, severity])).to.deep.equal([['flow-label', 'error']]);
      expect(problems[0]?.message).to.include(message);
    });

    it('are no problem without IPv6 pools', () => {
      expect(wanted(withPools('198.51.100.0/24'), refused)).to.deep.equal({ objects: [], problems: [] });
    });
  });
});
