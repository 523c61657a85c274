import { expect } from 'chai';
import { parseIp, parsePrefix } from '../../../src/model/ip.ts';
import { nodeHealth } from '../../../src/status/node.ts';
import { Scene, snapshot } from '../../scene.ts';

describe('the state of a node agent', () => {
  it('names the first of its networks, and how many more there are', async () => {
    const report = await new Scene(snapshot([], [])).round('link');
    const summary = (count: number): string =>
      nodeHealth({
        agent: {
          eips: Array.from({ length: count }, (_, i) => parsePrefix(`198.51.${i}.0/24`)),
          gateways: [{ address: parseIp('10.0.0.1'), table: 101, mark: 0x100000 }],
          interface: 'eth0',
          localTable: 100,
          priorities: { marks: 1001, local: 1100, replies: 1101 },
          markMask: 0xf00000,
          protocol: 86,
          literalLocal: false,
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
});
