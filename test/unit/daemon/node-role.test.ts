import { expect } from 'chai';
import { nodeRole } from '../../../src/daemon/node-role.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { agent } from '../../node-agent.ts';
import { listing } from '../../scene.ts';

describe('the role of a node agent', () => {
  const there = [{ ip: parseIp('10.0.0.1'), link: 2, mac: '02:00:00:00:00:01' }];
  const eth0 = { index: 2, name: 'eth0', up: true, carrier: true };
  const links = [{ ...eth0, addresses: [{ ip: parseIp('10.0.0.11'), length: 24 }] }];

  /** The problems of one dump after the other, each read twice as in a round of two passes. */
  function told(...dumps: readonly (readonly (typeof there)[number][])[]): readonly string[] {
    const { desire } = nodeRole(agent, new Map());
    return dumps.map((neighbours, i) => {
      const at = { ...listing([], { links }), neighbours, dumps: i + 1 };
      const state = { ...at, refused: new Map(), stuck: new Map(), refusals: 0 };
      desire.update(state);
      return desire
        .update(state)
        .problems.map(({ severity }) => severity)
        .join();
    });
  }

  it('calls it an error at once when its gateway is silent from the start', () => {
    expect(told([], there, [])).to.deep.equal(['error', '', 'warn']);
  });

  it('calls it an error when a second dump lacks a gateway, which Linux may have forgotten before', () => {
    expect(told(there, [], there, [], [])).to.deep.equal(['', 'warn', '', 'warn', 'error']);
  });
});
