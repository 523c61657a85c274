import { embedded } from '../../lab/lab.ts';
import { apiSuite } from '../lab/api-suite.ts';
import { reachSuite } from '../lab/reach-suite.ts';
import { serviceSuite } from '../lab/service-suite.ts';
import { needRoot } from './root.ts';

// The same suites run on a real Kubernetes: test/cluster.
describe('eiproute in a lab', () => {
  before(function () {
    needRoot(this);
  });
  apiSuite(embedded);
  reachSuite(embedded);
  serviceSuite(embedded);
});
