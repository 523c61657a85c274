import { expect } from 'chai';
import { neighbourLimit } from '../../../src/daemon/neighbour-limits.ts';

describe('the size of the neighbour table', () => {
  it('is told when there are more nodes than the kernel keeps', () => {
    expect(neighbourLimit(4, 512, 512)).to.deep.equal([]);
    const [problem] = neighbourLimit(6, 513, 512);
    expect(problem?.code).to.equal('neighbour-table-small');
    expect(problem?.message).to.include('512 neighbours').and.include('513 nodes');
    expect(problem?.advice).to.include(
      'sysctl -w net.ipv6.neigh.default.gc_thresh2=2052 net.ipv6.neigh.default.gc_thresh3=4104',
    );
  });

  it('is no problem where it is not known', () => {
    expect(neighbourLimit(4, 5000, undefined)).to.deep.equal([]);
  });
});
