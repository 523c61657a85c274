import { ready } from '../cluster/cluster.ts';
import { shortened } from '../load/witness.ts';
import type { Dual } from '../network/map.ts';
import { now } from '../process/clock.ts';
import { curl } from './curl.ts';
import { duration } from './page.ts';
import { both, demand, exactly, type Scene, shop, web } from './stage.ts';
import { answeredBy, calm, counts, onlyFrom, quiet, words } from './verdict.ts';

/** ms between two requests of the load: 200 new connections each second. */
const every = 5;

export const serviceAppears: Scene = {
  id: 'service-appears',
  title: 'A Service appears, and curl works',
  async play({ lab: { network, cluster, proxy, clients }, witness, page }, signal) {
    const pods = await Promise.all(
      network.nodes.map((node, i) => network.addPod(`web-${i + 1}`, node, signal)),
    );
    // The clients ask before there is anything to answer: the first answer tells the time.
    await using load = clients.start({ to: both(web.eip), port: 80, every });
    await load.next(() => true, signal);
    const start = now();
    const [good, routes] = await Promise.all([
      Promise.all(
        both(web.eip).map((ip) => load.next(({ to, pod }) => to === ip && pod !== undefined, signal)),
      ),
      Promise.all(both(web.eip).map((ip) => witness.first(new RegExp(`^${exactly(ip)} `), start, signal))),
      cluster.createService(web, ready(pods)),
    ]);
    page.said('cluster', `Service default/web, EIPs ${web.eip.v4} and ${web.eip.v6}, pods on three nodes`);
    for (const { at, text } of routes) {
      page.said('gateway', `route ${shortened(text)}   +${duration(at - start)}`);
    }
    const firstMs = Math.max(...good.map(({ done }) => done)) - start;
    // A node whose kube-proxy is not that far yet refuses.
    await proxy.settled();
    for (const ip of both(web.eip)) await curl(network, page, ip, signal);
    page.good(`first good request ${duration(firstMs)} after the Service, over IPv4 and IPv6`);
    return { routeMs: Math.max(...routes.map(({ at }) => at)) - start, firstAnswerMs: firstMs };
  },
};

export const endpointsMove: Scene = {
  id: 'endpoints-move',
  title: 'Its endpoints move, and traffic follows',
  async play({ lab: { network, cluster, proxy, clients }, witness, page }, signal) {
    const old = await network.addPod('shop-1', 'node1', signal);
    const fresh = await network.addPod('shop-2', 'node3', signal);
    await cluster.createService(shop, ready([old]));
    await proxy.settled();
    page.said('cluster', `Service default/shop, EIP ${shop.eip.v4}, Local: only the pod on node1`);
    await using load = clients.start({ to: both(shop.eip), port: 80, every });
    await answeredBy(load, 'shop-1', signal);
    const start = now();
    const [first] = await Promise.all([
      onlyFrom(load, 'shop-2', signal),
      cluster.setBackends(shop.name, [
        { pod: old, state: 'terminating' },
        { pod: fresh, state: 'ready' },
      ]),
    ]);
    page.said('cluster', 'its pod on node1 is ending, a new one on node3 is ready');
    const moved = await witness.first(moves(shop.eip), start, signal);
    page.said('gateway', `nexthop ${shortened(moved.text)}   +${duration(moved.at - start)}`);
    await cluster.setBackends(shop.name, ready([fresh]));
    await proxy.settled();
    await network.removePod('shop-1', signal);
    const total = await load.stop(start);
    calm(load, first.done, Number.POSITIVE_INFINITY);
    const followMs = first.done - start;
    page.good(
      `all traffic on node3 after ${duration(followMs)}; ${total.lost} of ${total.sent} requests lost${total.lost > 0 ? ` (${words(total)})` : ''}`,
    );
    return { followMs, kernelMs: moved.at - start, ...counts(total) };
  },
};

export const nodeGoes: Scene = {
  id: 'node-goes',
  title: 'A node goes, and traffic goes on',
  async play({ lab: { network, cluster, proxy, clients }, witness, page }, signal) {
    const shops = [
      ...network.pods.filter(({ name }) => name === 'shop-2'),
      await network.addPod('shop-3', 'node1', signal),
      await network.addPod('shop-4', 'node2', signal),
    ];
    await cluster.setBackends(shop.name, ready(shops));
    await proxy.settled();
    await using load = clients.start({ to: both(shop.eip), port: 80, every });
    for (const { name } of shops) await answeredBy(load, name, signal);
    const start = now();
    await network.unplug('node2', signal);
    page.command('lab', `ip -n ${network.namespace('switch')} link set node2 down`);
    const last = await quiet(load, start, signal);
    demand(last > 0, 'no request went to the node that was unplugged: this scene shows nothing');
    const group = await witness.first(/^id \d+ group /, start, signal);
    page.said(
      'gateway',
      `node2 answers no ARP: ip nexthop: ${shortened(group.text)}   +${duration(group.at - start)}`,
    );
    const word = now();
    await cluster.deleteNode('node2');
    await cluster.setBackends(shop.name, ready(shops.filter(({ node }) => node !== 'node2')));
    await cluster.setBackends(
      web.name,
      ready(network.pods.filter(({ name, node }) => name.startsWith('web-') && node !== 'node2')),
    );
    await proxy.settled();
    const settled = now();
    const gone = await witness.first(/^Deleted id \d+ via /, word, signal);
    page.said('cluster', 'node2 and its endpoints are gone by Kubernetes’ word');
    page.said('gateway', `nexthop ${shortened(gone.text)}   +${duration(gone.at - word)}`);
    for (const name of ['shop-2', 'shop-3']) await answeredBy(load, name, signal);
    const total = await load.stop(start);
    calm(load, start + last, word);
    const changes = witness.since(word).filter(({ text }) => moves(shop.eip).test(text));
    calm(load, Math.max(settled, ...changes.map(({ at }) => at)), Number.POSITIVE_INFINITY);
    page.good(
      `all traffic on the others after ${duration(last)}, without Kubernetes’ word; ${total.lost} of ${total.sent} requests lost till then`,
    );
    return { lastLostMs: last, groupMs: group.at - start, wordMs: gone.at - word, ...counts(total) };
  },
};

/** What `ip monitor` says when traffic for an EIP goes elsewhere: its route or a group has changed. */
function moves({ v4, v6 }: Dual): RegExp {
  return new RegExp(`^(${exactly(v4)} |${exactly(v6)} |id \\d+ )`);
}
