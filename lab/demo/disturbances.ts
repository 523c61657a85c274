import { setTimeout as sleep } from 'node:timers/promises';
import { program } from '../eiproute/daemon-process.ts';
import { shortened } from '../load/witness.ts';
import { now } from '../process/clock.ts';
import { waitFor } from '../process/wait.ts';
import { curl } from './curl.ts';
import { duration } from './page.ts';
import { both, demand, exactly, type Scene, shop, web } from './stage.ts';
import { counts, words } from './verdict.ts';

/** ms between two requests of the load. */
const every = 5;

export const handDisturbs: Scene = {
  id: 'hand-disturbs',
  title: 'Somebody disturbs the gateway, and it heals',
  async play({ lab: { network, clients }, witness, page }, signal) {
    const { v4 } = web.eip;
    await using load = clients.start({ to: both(web.eip), port: 80, every });
    await load.next(({ pod }) => pod !== undefined, signal);

    let start = now();
    await network.run('gateway', { argv: ['ip', 'route', 'del', v4] }, signal);
    page.command('gateway', `ip route del ${v4}`);
    const gone = await witness.first(new RegExp(`^Deleted ${exactly(v4)} `), start, signal);
    const back = await witness.first(new RegExp(`^${exactly(v4)} `), gone.at, signal);
    const routeMs = back.at - gone.at;
    page.said('gateway', `route ${shortened(back.text)}   +${duration(routeMs)}`);

    start = now();
    await network.run('gateway', { argv: ['sysctl', '-qw', 'net.ipv4.ip_forward=0'] }, signal);
    page.command('gateway', 'sysctl -w net.ipv4.ip_forward=0');
    const off = await witness.first(/^inet all forwarding off/, start, signal);
    const on = await witness.first(/^inet all forwarding on/, off.at, signal);
    const sysctlMs = on.at - off.at;
    page.said('gateway', `it forwards again   +${duration(sysctlMs)}`);

    await network.unplug('gateway', signal);
    await load.next(({ error }) => error !== undefined, signal);
    start = now();
    await network.plug('gateway', signal);
    page.command('lab', `ip -n ${network.namespace('switch')} link set gateway down; … up`);
    page.said('gateway', 'Linux dropped every nexthop and every EIP route, without a word');
    const routes = await Promise.all(
      both(web.eip).map((ip) => witness.first(new RegExp(`^${exactly(ip)} `), start, signal)),
    );
    const linkMs = Math.max(...routes.map((route) => route.at)) - start;
    page.said('gateway', `all of them are back   +${duration(linkMs)}`);
    await load.next(({ pod, sent }) => pod !== undefined && sent > start, signal);
    await load.stop();
    await curl(network, page, v4, signal);
    page.good(
      `healed after ${duration(routeMs)} (route), ${duration(sysctlMs)} (sysctl), ${duration(linkMs)} (cable)`,
    );
    return { routeMs, sysctlMs, linkMs };
  },
};

export const apiStops: Scene = {
  id: 'api-stops',
  title: 'The Kubernetes API stops, and traffic goes on',
  async play({ lab: { network, cluster, clients }, eiproute, witness, page }, signal) {
    await using load = clients.start({ to: both(web.eip), port: 80, every });
    await load.next(({ pod }) => pod !== undefined, signal);
    const start = now();
    await cluster.stopApi();
    page.said('cluster', 'the API server is down: port closed, connections cut');
    await sleep(700, undefined, { signal });
    const total = await load.stop(start);
    demand(total.lost === 0, `${total.lost} of ${total.sent} requests lost: ${words(total)}`);
    // It says so after the second failure in a row.
    const told = await waitFor(
      'eiproute status tells of the API',
      () => eiproute.feedTrouble(signal),
      signal,
    );
    page.command('gateway', 'eiproute status');
    page.said('', told);
    const asked = now();
    await network.run('gateway', { argv: ['ip', 'route', 'del', web.eip.v4] }, signal);
    page.command('gateway', `ip route del ${web.eip.v4}`);
    const back = await witness.first(new RegExp(`^${exactly(web.eip.v4)} `), asked, signal);
    page.said('gateway', `it heals without the API as well: ${shortened(back.text)}`);
    await cluster.startApi();
    page.good(`0 of ${total.sent} requests lost while the API was away`);
    return counts(total);
  },
};

export const daemonDies: Scene = {
  id: 'daemon-dies',
  title: 'The daemon is killed with SIGKILL and started again',
  async play({ lab: { cluster, clients }, eiproute, witness, page }, signal) {
    await using load = clients.start({ to: both(shop.eip), port: 80, every });
    await load.next(({ pod }) => pod !== undefined, signal);
    const start = now();
    const { pid } = eiproute.gateway;
    await eiproute.gateway.kill('SIGKILL', signal);
    page.command('gateway', `kill -9 ${pid}`);
    await cluster.deleteService(web.name);
    page.said('cluster', 'while it is dead, Service default/web is deleted');
    const born = now();
    await eiproute.restartGateway();
    page.command('gateway', 'eiproute gateway');
    const orphan = await witness.first(new RegExp(`^Deleted ${exactly(web.eip.v4)} `), born, signal);
    page.said('gateway', `the orphan is gone: ${shortened(orphan.text)}   +${duration(orphan.at - born)}`);
    await eiproute.gateway.synced(signal);
    const touched = witness
      .since(start)
      .filter(({ text }) => both(shop.eip).some((ip) => text.includes(`${ip} `)));
    demand(touched.length === 0, `routes of default/shop were touched: ${touched[0]?.text}`);
    const total = await load.stop(start);
    demand(total.lost === 0, `${total.lost} of ${total.sent} requests lost: ${words(total)}`);
    page.good(`0 of ${total.sent} requests lost; the routes still wanted were not touched`);
    return { orphanMs: orphan.at - born, ...counts(total) };
  },
};

export const purged: Scene = {
  id: 'purged',
  title: 'The daemon is stopped, and everything is taken back',
  async play({ lab: { network }, eiproute: { gateway, files }, page }, signal) {
    const ours = (): Promise<string> =>
      network.run(
        'gateway',
        {
          argv: [
            'sh',
            '-c',
            'ip -4 route show table all proto 86; ip -6 route show table all proto 86; ip nexthop show proto 86',
          ],
        },
        signal,
      );
    const before = await ours();
    const how = await gateway.kill('SIGTERM', signal);
    demand(how === 'exit 0', `eiproute gateway ended with ${how} on SIGTERM\n${await gateway.lastWords()}`);
    demand((await ours()) === before, 'stopping the daemon changed routes');
    page.said(
      'gateway',
      `eiproute stopped; its ${before.trim().split('\n').length} routes and nexthops stay`,
    );
    const start = now();
    await network.run('gateway', { argv: [program, 'purge', '--yes', '--config', files.config] }, signal);
    const purgeMs = now() - start;
    page.command('gateway', 'eiproute purge --yes');
    const left = await ours();
    demand(left === '', `left behind:\n${left}`);
    const forwarding = await network.run(
      'gateway',
      { argv: ['sysctl', '-n', 'net.ipv4.ip_forward'] },
      signal,
    );
    demand(forwarding.trim() === '0', 'net.ipv4.ip_forward is not what it was before eiproute came');
    page.good(`no route, no nexthop, every sysctl as it was (${duration(purgeMs)})`);
    return { purgeMs };
  },
};
