import { parseIp } from '../../src/model/ip.ts';
import { assignedEips } from '../cluster/assigned-eips.ts';
import { type LabService, ready } from '../cluster/cluster.ts';
import type { Dual } from '../network/map.ts';
import { now } from '../process/clock.ts';
import { curl } from './curl.ts';
import { duration } from './page.ts';
import { both, demand, type Scene } from './stage.ts';

/** ms between two requests of the load */
const every = 5;

/** A Service that comes without an EIP and waits for one. */
const mail: LabService = { name: 'mail', policy: 'Cluster' };
/** The first free addresses of the pools. Clients send requests to them before they are assigned. */
export const mailEip: Dual = { v4: parseIp('198.51.100.1'), v6: parseIp('2001:db8:e::1') };

export const addressGiven: Scene = {
  id: 'address-given',
  title: 'A Service waits for an address, and gets one',
  async play({ lab: { network, cluster, proxy, clients }, page }, signal) {
    const pods = [
      await network.addPod('mail-1', 'node1', signal),
      await network.addPod('mail-2', 'node3', signal),
    ];
    await using load = clients.start({ to: both(mailEip), port: 80, every });
    await load.next(() => true, signal);
    const start = now();
    const [given, good] = await Promise.all([
      assignedEips(cluster.feed, mail.name, signal),
      Promise.all(
        both(mailEip).map((ip) => load.next(({ to, pod }) => to === ip && pod !== undefined, signal)),
      ),
      cluster.createService(mail, ready(pods)),
    ]);
    page.said(
      'cluster',
      'Service default/mail, loadBalancerClass eiproute.io/gateway, EXTERNAL-IP <pending>',
    );
    page.said('gateway', `EXTERNAL-IP ${given.ips.join(', ')}   +${duration(given.at - start)}`);
    const wanted = both(mailEip).join(', ');
    demand(given.ips.join(', ') === wanted, `it got ${given.ips.join(', ')} instead of ${wanted}`);
    const firstMs = Math.max(...good.map(({ done }) => done)) - start;
    await proxy.settled();
    for (const ip of both(mailEip)) await curl(network, page, ip, signal);
    page.good(`first good request ${duration(firstMs)} after the Service, over IPv4 and IPv6`);
    return { allocationMs: given.at - start, firstAnswerMs: firstMs };
  },
};
