import { apiSuite } from '../lab/api-suite.ts';
import { reachSuite } from '../lab/reach-suite.ts';
import { serviceSuite } from '../lab/service-suite.ts';
import { needKubernetes, real } from './kind.ts';

describe('eiproute on a real Kubernetes', () => {
  before(async function () {
    await needKubernetes(this);
  });
  apiSuite(real('played'));
  reachSuite(real('nftables'));
  reachSuite(real('iptables'));
  serviceSuite(real('nftables'));
});
