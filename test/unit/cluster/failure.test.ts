import { expect } from 'chai';
import { feedFailure } from '../../../src/cluster/failure.ts';
import { ApiError } from '../../../src/cluster/transport.ts';

describe('a failure in words', () => {
  it('names every address that was tried', () => {
    const error = new AggregateError([
      new Error('connect ECONNREFUSED ::1:6443'),
      new Error('connect ECONNREFUSED 127.0.0.1:6443'),
    ]);
    expect(feedFailure(error, 'nodes')).to.equal(
      'connect ECONNREFUSED ::1:6443, connect ECONNREFUSED 127.0.0.1:6443',
    );
  });

  it('goes down to the cause, and repeats nothing', () => {
    const cause = new Error('read ECONNRESET');
    expect(feedFailure(new Error('fetch failed', { cause }), 'nodes')).to.equal(
      'fetch failed: read ECONNRESET',
    );
    expect(feedFailure(new Error('failed: read ECONNRESET', { cause }), 'nodes')).to.equal(
      'failed: read ECONNRESET',
    );
  });

  it('names the group of the rule that is missing', () => {
    expect(feedFailure(new ApiError(403, 'no'), 'endpointslices')).to.contain(
      'apiGroups: ["discovery.k8s.io"]',
    );
    expect(feedFailure(new ApiError(403, 'no'), 'services')).to.contain(
      'apiGroups: [""], resources: ["services"]',
    );
  });

  it('asks whether this is an API server when it does not know the resource', () => {
    expect(feedFailure(new ApiError(404, 'page not found'), 'endpointslices')).to.match(
      /^HTTP 404: page not found; is "server"/,
    );
  });
});
