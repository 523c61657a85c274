import { parseIp } from '../../src/model/ip.ts';
import { now } from '../clock.ts';
import { ready } from '../cluster/control-plane.ts';
import { curl } from './curl.ts';
import { duration } from './page.ts';
import { type Asking, both, demand, type Scene } from './stage.ts';

/** ms between two requests of the load */
const every = 5;

/** The first free addresses of the pools, which the clients ask before anybody has given them to anybody. */
const mail: Asking = {
  name: 'mail',
  expected: { v4: parseIp('198.51.100.1'), v6: parseIp('2001:db8:e::') },
};

export const addressGiven: Scene = {
  id: 'address-given',
  title: 'A Service waits for an address, and gets one',
  async play({ lab: { network, plane, clients }, page }, signal) {
    const pods = [
      await network.addPod('mail-1', 'node1', signal),
      await network.addPod('mail-2', 'node3', signal),
    ];
    await using load = clients.start({ to: both(mail.expected), port: 80, every });
    await load.next(() => true, signal);
    const start = now();
    const [given, good] = await Promise.all([
      plane.addressOf(mail.name, signal),
      Promise.all(
        both(mail.expected).map((ip) => load.next(({ to, pod }) => to === ip && pod !== undefined, signal)),
      ),
      plane.ask(mail, ready(pods)),
    ]);
    page.said(
      'cluster',
      'Service default/mail, loadBalancerClass eiproute.io/gateway, EXTERNAL-IP <pending>',
    );
    page.said('gateway', `EXTERNAL-IP ${given.ips.join(', ')}   +${duration(given.at - start)}`);
    const wanted = both(mail.expected).join(', ');
    demand(given.ips.join(', ') === wanted, `it got ${given.ips.join(', ')} instead of ${wanted}`);
    const firstMs = Math.max(...good.map(({ done }) => done)) - start;
    for (const ip of both(mail.expected)) await curl(network, page, ip, signal);
    page.good(`first good request ${duration(firstMs)} after the Service, over IPv4 and IPv6`);
    return { allocationMs: given.at - start, firstAnswerMs: firstMs };
  },
};
