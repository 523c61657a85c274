import { expect } from 'chai';
import { parsePrefix } from '../../../src/model/ip.ts';
import { nodeHealth } from '../../../src/status/node.ts';
import { Scene, snapshot } from '../../scene.ts';
import { agent } from './node-agent.ts';

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
});
