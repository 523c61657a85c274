import { setTimeout as sleep } from 'node:timers/promises';
import { now } from './clock.ts';
import { program } from './gateway-process.ts';
import { type Answer, type Load, type Tally, tally } from './load.ts';
import type { Pod } from './network.ts';
import { duration } from './page.ts';
import { both, demand, exactly, type Figures, type Scene, type Stage, shop, web } from './stage.ts';

/** ms between two requests of the load: 200 new connections each second. */
const every = 5;

export const serviceAppears: Scene = {
  id: 'service-appears',
  title: 'A Service appears, and curl works',
  async play({ network, plane, clients, witness, page }, signal) {
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
      plane.offer(web, ready(pods)),
    ]);
    page.said('cluster', `Service default/web, EIPs ${web.eip.v4} and ${web.eip.v6}, pods on three nodes`);
    for (const { at, text } of routes) {
      page.said('gateway', `ip route: ${shortened(text)}   +${duration(at - start)}`);
    }
    const firstMs = Math.max(...good.map(({ done }) => done)) - start;
    for (const ip of both(web.eip)) await curl(network, page, ip, signal);
    page.good(`first good request ${duration(firstMs)} after the Service, over IPv4 and IPv6`);
    return { routeMs: Math.max(...routes.map(({ at }) => at)) - start, firstAnswerMs: firstMs };
  },
};

export const endpointsMove: Scene = {
  id: 'endpoints-move',
  title: 'Its endpoints move, and traffic follows',
  async play({ network, plane, clients, witness, page }, signal) {
    const old = await network.addPod('shop-1', 'node1', signal);
    const fresh = await network.addPod('shop-2', 'node3', signal);
    await plane.offer(shop, ready([old]));
    page.said('cluster', `Service default/shop, EIP ${shop.eip.v4}, Local: only the pod on node1`);
    await using load = clients.start({ to: both(shop.eip), port: 80, every });
    await answeredBy(load, 'shop-1', signal);
    const start = now();
    const [first, moved] = await Promise.all([
      answeredBy(load, 'shop-2', signal),
      witness.first(new RegExp(`^(${exactly(shop.eip.v4)} |id \\d+ )`), start, signal),
      plane.endpoints(shop.name, [
        { pod: old, state: 'terminating' },
        { pod: fresh, state: 'ready' },
      ]),
    ]);
    const settled = now();
    page.said('cluster', 'its pod on node1 is ending, a new one on node3 is ready');
    page.said('gateway', `ip nexthop: ${shortened(moved.text)}   +${duration(moved.at - start)}`);
    // The old pod ends when its time is up, as a kubelet would do it.
    await sleep(300, undefined, { signal });
    await plane.endpoints(shop.name, ready([fresh]));
    await network.removePod('shop-1', signal);
    const total = await load.stop(start);
    const late = load.answers.filter(({ pod, sent }) => pod === 'shop-1' && sent > first.done + 50);
    demand(late.length === 0, `${late.length} requests still went to the old pod`);
    calm(load, settled, Number.POSITIVE_INFINITY);
    page.good(
      `traffic on node3 after ${duration(first.done - start)}; ${total.lost} of ${total.sent} requests lost${total.lost > 0 ? ` (${words(total)})` : ''}`,
    );
    return { firstAnswerMs: first.done - start, kernelMs: moved.at - start, ...counts(total) };
  },
};

export const nodeGoes: Scene = {
  id: 'node-goes',
  title: 'A node goes, and traffic goes on',
  async play({ network, plane, clients, witness, page }, signal) {
    const shops = [
      ...network.pods.filter(({ name }) => name === 'shop-2'),
      await network.addPod('shop-3', 'node1', signal),
      await network.addPod('shop-4', 'node2', signal),
    ];
    await plane.endpoints(shop.name, ready(shops));
    await using load = clients.start({ to: both(shop.eip), port: 80, every });
    for (const { name } of shops) await answeredBy(load, name, signal);
    const start = now();
    await network.unplug('node2', signal);
    page.command('lab', `ip -n ${network.namespace('switch')} link set node2 down`);
    const last = await quiet(load, start, signal);
    demand(last > 0, 'no request went to the node that was unplugged: this scene shows nothing');
    page.said('gateway', `its neighbour entry fails; the kernel leaves node2 out after ${duration(last)}`);
    const word = now();
    await plane.removeNode('node2');
    await plane.endpoints(shop.name, ready(shops.filter(({ node }) => node !== 'node2')));
    await plane.endpoints(
      web.name,
      ready(network.pods.filter(({ name, node }) => name.startsWith('web-') && node !== 'node2')),
    );
    const settled = now();
    const group = await witness.first(/^id \d+ group /, word, signal);
    page.said('cluster', 'node2 and its endpoints are gone by Kubernetes’ word');
    page.said('gateway', `ip nexthop: ${shortened(group.text)}   +${duration(group.at - word)}`);
    for (const name of ['shop-2', 'shop-3']) await answeredBy(load, name, signal);
    const total = await load.stop(start);
    calm(load, start + last, word);
    calm(load, settled, Number.POSITIVE_INFINITY);
    page.good(
      `all traffic on the others after ${duration(last)} by the kernel alone; ${total.lost} of ${total.sent} requests lost till then`,
    );
    return { kernelMs: last, wordMs: group.at - word, ...counts(total) };
  },
};

export const handDisturbs: Scene = {
  id: 'hand-disturbs',
  title: 'Somebody disturbs the gateway, and it heals',
  async play({ network, clients, witness, page }, signal) {
    const { v4 } = web.eip;
    await using load = clients.start({ to: both(web.eip), port: 80, every });
    await load.next(({ pod }) => pod !== undefined, signal);

    let start = now();
    await network.run('gateway', { argv: ['ip', 'route', 'del', v4] }, signal);
    page.command('gateway', `ip route del ${v4}`);
    const gone = await witness.first(new RegExp(`^Deleted ${exactly(v4)} `), start, signal);
    const back = await witness.first(new RegExp(`^${exactly(v4)} `), gone.at, signal);
    const routeMs = back.at - gone.at;
    page.said('gateway', `ip route: ${shortened(back.text)}   +${duration(routeMs)}`);

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
  async play(stage, signal) {
    const { network, plane, clients, witness, page } = stage;
    await using load = clients.start({ to: both(web.eip), port: 80, every });
    await load.next(({ pod }) => pod !== undefined, signal);
    const start = now();
    await plane.stopApi();
    page.said('cluster', 'the API server is down: port closed, connections cut');
    await sleep(700, undefined, { signal });
    const total = await load.stop(start);
    demand(total.lost === 0, `${total.lost} of ${total.sent} requests lost: ${words(total)}`);
    const told = await stage.gateway.trouble(signal);
    demand(told !== undefined, 'eiproute status says nothing of the API');
    page.command('gateway', 'eiproute status');
    page.said('', told);
    const asked = now();
    await network.run('gateway', { argv: ['ip', 'route', 'del', web.eip.v4] }, signal);
    page.command('gateway', `ip route del ${web.eip.v4}`);
    const back = await witness.first(new RegExp(`^${exactly(web.eip.v4)} `), asked, signal);
    page.said('gateway', `it heals without the API as well: ${shortened(back.text)}`);
    await plane.startApi();
    page.good(`0 of ${total.sent} requests lost while the API was away`);
    return counts(total);
  },
};

export const daemonDies: Scene = {
  id: 'daemon-dies',
  title: 'The daemon is killed with SIGKILL and started again',
  async play(stage, signal) {
    const { network, plane, clients, witness, page } = stage;
    await using load = clients.start({ to: both(shop.eip), port: 80, every });
    await load.next(({ pod }) => pod !== undefined, signal);
    const start = now();
    const { pid } = stage.gateway;
    await stage.gateway.kill('SIGKILL', signal);
    page.command('gateway', `kill -9 ${pid}`);
    await plane.withdraw(web.name);
    page.said('cluster', 'while it is dead, Service default/web is deleted');
    const born = now();
    stage.gateway = await stage.gateway.again(network);
    page.command('gateway', 'eiproute gateway');
    const orphan = await witness.first(new RegExp(`^Deleted ${exactly(web.eip.v4)} `), born, signal);
    page.said('gateway', `the orphan is gone: ${shortened(orphan.text)}   +${duration(orphan.at - born)}`);
    await stage.gateway.synced(signal);
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
  async play({ network, gateway, files, page }, signal) {
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
    demand(how === 'exit 0', `eiproute gateway ended with ${how} on SIGTERM\n${await gateway.logTail()}`);
    demand((await ours()) === before, 'stopping the daemon changed routes');
    page.said(
      'gateway',
      `eiproute stopped; its ${before.trim().split('\n').length} routes and nexthops stay`,
    );
    const start = now();
    await network.run('gateway', { argv: [program, 'purge', '--config', files.config] }, signal);
    const purgeMs = now() - start;
    page.command('gateway', 'eiproute purge');
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

function ready(pods: readonly Pod[]): readonly { pod: Pod; state: 'ready' }[] {
  return pods.map((pod) => ({ pod, state: 'ready' }));
}

function answeredBy(load: Load, pod: string, signal: AbortSignal): ReturnType<Load['next']> {
  return load.next((answer) => answer.pod === pod, signal);
}

/**
 * Waits until nothing has been lost for a while. Whether a request is lost is known 900 ms after it was sent.
 *
 * @returns when the last lost request was sent, in ms after `from`; 0: none was lost
 */
async function quiet(load: Load, from: number, signal: AbortSignal): Promise<number> {
  const decided = 900 + 400;
  let last = from;
  let lost: readonly Answer[] = [];
  try {
    for (;;) {
      const { done } = await load.next(() => true, signal);
      lost = load.answers.filter(({ sent, error }) => sent >= from && error !== undefined);
      last = Math.max(from, ...lost.map(({ sent }) => sent));
      if (done - last > decided) return last - from;
    }
  } catch (cause) {
    const latest = lost
      .slice(-5)
      .map(({ sent, to, error }) => `${to} ${error} at ${duration(sent - from)}`)
      .join(', ');
    throw new Error(`requests are still lost: ${lost.length} since the node is gone; ${latest}`, { cause });
  }
}

/**
 * Nothing may be lost between two moves. While one is under way a connection that is open may be cut (a router
 * without state cannot keep it), and the gateway may be faster than the kube-proxies: 50 ms are for those.
 */
function calm(load: Load, from: number, to: number): void {
  const lost = load.answers.filter(
    ({ sent, error }) => sent > from + 50 && sent < to - 50 && error !== undefined,
  );
  demand(lost.length === 0, `${lost.length} requests lost when all was settled: ${words(tally(lost))}`);
}

/** Runs curl at the client and shows it. */
async function curl(
  network: Stage['network'],
  page: Stage['page'],
  ip: string,
  signal: AbortSignal,
): Promise<void> {
  const words = ip.includes(':') ? ['curl', '-g', `http://[${ip}]/`] : ['curl', `http://${ip}/`];
  const said = await network.run('client', { argv: [...words, '-sS', '-m', '3'] }, signal);
  const [pod, seen] = said.trim().split(' ');
  page.command('client', words.join(' '));
  page.said('', `answered by ${pod}, which saw ${seen}`);
}

function counts({ sent, lost, gap }: Tally): Figures {
  return { sent, lost, gapMs: gap };
}

function words({ errors }: Tally): string {
  return Object.entries(errors)
    .map(([error, count]) => `${count} ${error}`)
    .join(', ');
}

/** Long lines of `ip monitor` name every hop of a group; the audience wants the head. */
function shortened(text: string): string {
  return text.replace(/ (nexthop|pref|scope) .*$/, '').trim();
}
