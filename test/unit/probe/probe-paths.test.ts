import { expect } from 'chai';
import { parseIp } from '../../../src/model/ip.ts';
import { noProbePaths } from '../../../src/model/probe-path.ts';
import { CurrentProbePaths } from '../../../src/probe/probe-paths.ts';

const n1 = parseIp('10.0.0.11');
const n2 = parseIp('10.0.0.12');
const six = parseIp('2001:db8:10::11');

describe('the paths by single nodes', () => {
  it('are wanted while there are questions, and five seconds longer', () => {
    const paths = new CurrentProbePaths();
    paths.follow([n1, six]);
    expect(paths.wanted).to.equal(noProbePaths);
    expect(paths.want(true, 1000)).to.equal(true);
    expect([...paths.wanted[4].keys(), ...paths.wanted[6].keys()]).to.deep.equal([n1, six]);
    expect(paths.wanted).to.equal(paths.wanted);
    expect(paths.want(false, 5999)).to.equal(false);
    expect(paths.want(false, 6000)).to.equal(true);
    expect(paths.wanted).to.equal(noProbePaths);
  });

  it('are open once a round has written them, and a number is never another node’s', () => {
    const paths = new CurrentProbePaths();
    paths.follow([n1]);
    paths.want(true, 0);
    paths.act();
    expect(paths.number(n1)).to.equal(undefined);
    paths.applied();
    expect(paths.number(n1)).to.equal(1);
    paths.follow([n2]);
    // The kernel still has the former ones.
    expect(paths.number(n2)).to.equal(undefined);
    paths.act();
    paths.applied();
    expect(paths.number(n2)).to.equal(2);
    expect(paths.number(n1)).to.equal(undefined);
  });

  it('stay as they are when a node goes, until there are no questions', () => {
    const paths = new CurrentProbePaths();
    paths.follow([n1, n2]);
    paths.want(true, 0);
    const both = paths.wanted;
    paths.follow([n1]);
    expect(paths.wanted).to.equal(both);
    paths.follow([n2, n1]);
    expect(paths.wanted).to.equal(both);
    paths.follow([n1]);
    paths.want(false, 10_000);
    paths.want(true, 10_000);
    expect([...paths.wanted[4]]).to.deep.equal([[n1, 1]]);
  });

  it('are not wanted again where the kernel refuses them', () => {
    const paths = new CurrentProbePaths();
    paths.follow([n1]);
    paths.want(true, 0);
    paths.act();
    paths.applied();
    paths.follow([n1, n2]);
    paths.act();
    paths.refused();
    expect(paths.wanted).to.equal(noProbePaths);
    expect(paths.number(n1)).to.equal(undefined);
  });
});
