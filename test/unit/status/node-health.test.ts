import { expect } from 'chai';
import { anyPrefix, family, type Ip, parseIp, parsePrefix } from '../../../src/model/ip.ts';
import type { Route, Rule } from '../../../src/model/object.ts';
import { nodeHealth } from '../../../src/status/node.ts';
import { agent } from '../../node-agent.ts';
import { Scene, snapshot } from '../../scene.ts';

describe('the state of a node agent', () => {
  it('names the first of its networks, and how many more there are', async () => {
    const report = await new Scene(snapshot([], [])).round('link');
    const summary = (count: number): string =>
      nodeHealth({
        agent: {
          ...agent,
          eips: Array.from({ length: count }, (_, i) => parsePrefix(`198.51.${i}.0/24`)),
        },
        report,
        unreadable: undefined,
        neighbours: [],
        names: String,
        followed: undefined,
      }).summary;
    expect(summary(1)).to.equal('answering for 198.51.0.0/24 through 0 of 1 gateway');
    expect(summary(40)).to.match(
      /^answering for 198\.51\.0\.0\/24, .*, 198\.51\.5\.0\/24 and 34 more through /,
    );
  });

  it('counts the gateways that answer, and that replies lead to', async () => {
    const report = await new Scene(snapshot([], [])).round('link');
    const addresses = ['10.0.0.1', '10.0.0.2', '2001:db8:10::1', '2001:db8:10::2'].map(parseIp);
    const gateways = addresses.map((address, i) => ({
      address,
      table: 101 + (i % 2),
      mark: (1 + (i % 2)) << 20,
    }));
    const neighbours = addresses.map((ip) => ({ ip, mac: '02:00:00:00:00:01', link: 2 }));
    const route = (via: Ip, table: number): Route => ({
      kind: 'route',
      table,
      dst: anyPrefix(family(via)),
      metric: 0,
      protocol: 86,
      type: 'unicast',
      nhid: undefined,
      hops: [{ via, link: 2, weight: 1 }],
      src: undefined,
    });
    const rule = (of: 4 | 6, table: number): Rule => ({
      kind: 'rule',
      family: of,
      priority: 1001,
      protocol: 86,
      table,
      from: undefined,
      to: undefined,
      mark: { value: 0x100000, mask: 0xf00000 },
      iif: undefined,
    });
    const summary = (wants: readonly (Route | Rule)[], answer = neighbours): string =>
      nodeHealth({
        agent: { ...agent, gateways },
        report: { ...report, missing: wants.map((want) => ({ want, have: undefined })) },
        unreadable: undefined,
        neighbours: answer,
        names: String,
        followed: undefined,
      }).summary;
    const first = route(parseIp('10.0.0.1'), 101);
    expect(summary([])).to.include('through 4 of 4 gateways');
    expect(summary([first])).to.include('through 3 of 4 gateways');
    expect(summary([first, rule(6, 102)])).to.include('through 2 of 4 gateways');
    expect(summary([first], neighbours.slice(0, 2))).to.include('through 1 of 4 gateways');
    // Where packets to an EIP end.
    expect(summary([{ ...first, table: 100 }])).to.include('through 4 of 4 gateways');
  });
});
