import { expect } from 'chai';
import { conditionsOf, type Traffic } from '../../../src/ipam/conditions.ts';
import type { Decision } from '../../../src/ipam/decision.ts';
import { parseIp } from '../../../src/model/ip.ts';

const ips = [parseIp('198.51.100.1'), parseIp('2001:db8:e::1')];
const decision: Decision = {
  ips,
  pool: 'public',
  enforce: false,
  ofNodes: false,
  unsatisfied: undefined,
  waitsFor: [],
  lost: [],
  warnings: [],
};

function serving(traffic: Traffic, of: Partial<Decision> = {}): string {
  const { serving: found } = conditionsOf({ ...decision, ...of }, traffic);
  return found === undefined ? 'none' : `${found.status} ${found.reason} ${found.message}`.trim();
}

describe('the Serving condition', () => {
  const yes = () => true;
  const cases: readonly { name: string; traffic: Traffic; of?: Partial<Decision>; want: string }[] = [
    {
      name: 'is True when routed and answered',
      traffic: { routed: yes, answered: true },
      want: 'True Routed',
    },
    {
      name: 'is False while no node has said that it serves the Service',
      traffic: { routed: yes, answered: false },
      want: 'False NoAnswer routed, but nodes that the route leads to do not answer for the Service yet',
    },
    {
      name: 'names the addresses without a route first',
      traffic: { routed: (ip) => ip === ips[0], answered: false },
      want: 'False NotRouted no route for 2001:db8:e::1',
    },
    {
      name: 'is True where the addresses are those of nodes, which nobody routes',
      traffic: { routed: () => false, answered: true },
      of: { ofNodes: true },
      want: 'True OnNodes',
    },
    {
      name: 'is not there without an address',
      traffic: { routed: yes, answered: true },
      of: { ips: [] },
      want: 'none',
    },
  ];
  for (const { name, traffic, of, want } of cases) {
    it(name, () => {
      expect(serving(traffic, of)).to.equal(want);
    });
  }
});
