import { expect } from 'chai';
import type { Verdict } from '../../../src/desire/verdict.ts';
import { type Ip, parseIp } from '../../../src/model/ip.ts';
import type { Standing } from '../../../src/model/probed.ts';
import { type MovedInputs, movedStatus } from '../../../src/status/moved.ts';
import { node } from '../../scene.ts';

const carries: Verdict = { kind: 'carries', why: undefined };
const draining: Verdict = { kind: 'draining', why: 'it is cordoned' };
const nodes = [node('n1', [ip(1)]), node('n2', [ip(2)])];

function ip(last: number): Ip {
  return parseIp(`10.0.0.${last}`);
}

function path(last: number, ...on: readonly number[]) {
  const carriers = on.map((each) => ({ node: `n${each}`, ip: ip(each), weight: 1 }));
  return { eip: parseIp(`198.51.100.${last}`), services: ['default/web'], carriers };
}

function inputs(more: Partial<MovedInputs>): MovedInputs {
  const verdicts = new Map([
    ['n1', carries],
    ['n2', draining],
  ]);
  return { nodes, verdicts, applied: new Map(), paths: [], ...more };
}

const out = new Map<Ip, Standing>([[ip(2), 'draining']]);

describe('whether the traffic of a node has moved', () => {
  it('is not known of a node that is not there, and not begun while it carries', () => {
    expect(movedStatus('n3', inputs({})).state).to.equal('unknown');
    expect(movedStatus('n1', inputs({})).state).to.equal('carries');
  });

  it('is not so before the kernel has it, at each of its addresses', () => {
    expect(movedStatus('n2', inputs({})).state).to.equal('moving');
    expect(movedStatus('n2', inputs({ applied: out })).state).to.equal('moved');
    const two = [node('n2', [ip(2), '2001:db8:10::2'])];
    expect(movedStatus('n2', inputs({ nodes: two, applied: out })).state).to.equal('moving');
  });

  it('counts the EIPs that have no other node', () => {
    const paths = [path(1, 1, 2), path(2, 2), path(3, 1), path(4)];
    expect(movedStatus('n2', inputs({ applied: out, paths })).kept).to.equal(1);
  });

  it('names the nodes whose agents do not tell that they follow', () => {
    const agent = { eips: [], gateways: [], eipsAt: undefined, gatewaysAt: undefined };
    expect(movedStatus('n2', inputs({ applied: out })).deaf).to.deep.equal(['n1']);
    const told = [node('n1', [ip(1)], { agent }), node('n2', [ip(2)])];
    expect(movedStatus('n2', inputs({ nodes: told, applied: out })).deaf).to.deep.equal([]);
    const other = [...told, node('b:n1', ['10.0.0.9'])];
    const verdicts = new Map([...inputs({}).verdicts, ['b:n1', carries] as const]);
    expect(movedStatus('n2', inputs({ nodes: other, verdicts, applied: out })).deaf).to.deep.equal([]);
  });
});
