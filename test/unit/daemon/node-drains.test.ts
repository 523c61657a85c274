import { expect } from 'chai';
import { type DrainChange, NodeDrains } from '../../../src/daemon/node-drains.ts';
import type { Verdict } from '../../../src/desire/verdict.ts';

const asked = 'annotation eiproute.io/drain is set ("root@gw1")';
const cordoned = 'it is cordoned';

const verdicts = (of: Readonly<Record<string, Verdict>>): ReadonlyMap<string, Verdict> =>
  new Map(Object.entries(of));
const carries: Verdict = { kind: 'carries', why: undefined };
const draining = (why: string): Verdict => ({ kind: 'draining', why });
const drained = (why: string): Verdict => ({ kind: 'drained', why });

function shown(change: DrainChange): string {
  const but = change.kind === 'ends' && change.but !== undefined ? `, but ${change.but}` : '';
  return `${change.node} ${change.kind}: ${change.why}${but}`;
}

/** What each look tells. */
function told(...looks: readonly Readonly<Record<string, Verdict>>[]): readonly (readonly string[])[] {
  const drains = new NodeDrains();
  return looks.map((look) => drains.read(verdicts(look)).map(shown));
}

describe('the drains of nodes', () => {
  it('are told when they begin, when their time is over, and when they end', () => {
    expect(
      told(
        { n1: carries, n2: carries },
        { n1: carries, n2: draining(asked) },
        { n1: carries, n2: draining(asked) },
        { n1: carries, n2: drained(asked) },
        { n1: carries, n2: carries },
      ),
    ).to.deep.equal([[], [`n2 begins: ${asked}`], [], [`n2 is over: ${asked}`], [`n2 ends: ${asked}`]]);
  });

  it('are told anew when another one asks', () => {
    expect(told({ n1: draining(asked) }, { n1: draining(cordoned) })).to.deep.equal([
      [`n1 begins: ${asked}`],
      [`n1 goes on: ${cordoned}`],
    ]);
  });

  it('begin and are over at once with a limit of 0, or after a restart', () => {
    expect(told({ n1: drained(asked) })).to.deep.equal([[`n1 begins: ${asked}`, `n1 is over: ${asked}`]]);
  });

  it('go on while the node is silent', () => {
    const silent: Verdict = { kind: 'silent', why: 'it does not answer ARP or NDP' };
    expect(
      told({ n1: draining(asked) }, { n1: silent }, { n1: draining(asked) }, { n1: carries }),
    ).to.deep.equal([[`n1 begins: ${asked}`], [], [], [`n1 ends: ${asked}`]]);
  });

  it('end with a node that is deleted or left out, which gets no flows again', () => {
    const out: Verdict = { kind: 'left out', why: 'it is being deleted' };
    expect(told({ n1: draining(asked), n2: draining(asked) }, { n1: out }).slice(1)).to.deep.equal([
      [`n1 ends: ${asked}, but it is being deleted`, `n2 ends: ${asked}, but it is gone from the cluster`],
    ]);
  });
});
