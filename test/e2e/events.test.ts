import { once } from 'node:events';
import { expect } from 'chai';
import { rawNode, rawSlice } from '../../lab/cluster/manifests.ts';
import type { RecentEvent } from '../../src/journal/recent-events.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, localServiceOn, serviceOn } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { tied } from './tied.ts';
import { until } from './until.ts';

describe('eiproute events', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    daemon = await host.start();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  async function told(...words: readonly string[]): Promise<readonly string[]> {
    const { status, out, err } = await host.eiproute('events', ...words);
    expect({ status, err }).to.deep.equal({ status: 0, err: '' });
    return out
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^[\d:.]+ {2}/, ''));
  }

  it('tells what was done: all of it, or of one EIP, Service or node', async () => {
    const all = await told();
    expect(all).to.include.members([
      '+  198.51.100.10 (default/web) is routed to n1, n2, n3',
      '+  198.51.100.11 (default/mail) is routed to n2',
    ]);
    expect(all.some((line) => line.includes('reconciled ('))).to.equal(false);
    expect((await told('--all')).some((line) => line.includes('reconciled ('))).to.equal(true);
    const mail = ['+  198.51.100.11 (default/mail) is routed to n2'];
    for (const words of [
      ['--eip', '198.51.100.11'],
      ['--service', 'default/mail'],
      ['--service', 'mail', '--node', 'n2'],
    ])
      expect(await told(...words), words.join(' ')).to.deep.equal(mail);
  });

  it('prints JSON with a version', async () => {
    const { out } = await host.eiproute('events', '--json', '--eip', '198.51.100.11');
    const { version, events }: { version: number; events: readonly RecentEvent[] } = JSON.parse(out);
    expect(version).to.equal(1);
    expect(events.map(({ event, eips }) => `${event} ${eips.join()}`)).to.deep.equal([
      'eip-routed 198.51.100.11',
    ]);
  });

  it('tells that an EIP leaves a node, as status and trace do, and that others cover for it then', async () => {
    const ending = { ip: '10.244.0.10', node: 'n1', ready: false, serving: true, terminating: true };
    const others = ['n2', 'n3'].map((node, i) => ({ ip: `10.244.0.${i + 11}`, node, ready: true }));
    host.put(...localServiceOn('shop', ['198.51.100.40'], ['n1', 'n2', 'n3']));
    await daemon.says(/eip-routed.*"eip":"198.51.100.40"/);
    host.put(rawSlice('shop', [ending, ...others]));
    await daemon.says(/eip-moved.*"eip":"198.51.100.40"/);
    expect((await told('--eip', '198.51.100.40')).at(-1)).to.equal(
      '~  198.51.100.40 (default/shop) is now routed to n2, n3; before, to n1, n2, n3; n1: last endpoints end, only the flows that are there stay',
    );
    const eips = (words: RegExp): Promise<string> =>
      until(
        `the EIPs show ${words}`,
        async () => (await host.eiproute('status', '--eips', '198.51.100.40')).out,
        (out) => words.test(out),
      );
    await eips(/default\/shop {2}n2 n3 n1\(leaving\)\n$/);
    expect((await host.eiproute('status')).out).to.match(/^Nodes .* n1 1 EIP leaves it$/m);
    expect((await host.eiproute('trace', '198.51.100.40')).out).to.match(
      /n2, n3 \(left out: n1: its last endpoints end, and it only keeps the flows that it has, for 4 min more at most\)/,
    );
    host.put(rawSlice('shop', others));
    await eips(/default\/shop {2}n2 n3 n1\(covered\)\n$/);
    expect((await host.eiproute('trace', '198.51.100.40')).out).to.match(
      /\(left out: n1: no ready endpoint, and the others cover for it, for 4 min more at most\)/,
    );
  });

  it('tells when a node begins and ceases to drain and who asked, and the EIPs show it', async () => {
    const drained = await host.eiproute('drain', 'n2');
    expect([drained.status, drained.out]).to.deep.equal([
      0,
      'node n2 gets no new flows any more; 1 EIP still leads there, since no other node can serve it; its connections that come to n1, n3 break, whose agents do not tell that they follow the gateways; eiproute status shows it\n',
    ]);
    // The command ends when the traffic has moved: whoever restarts the node then loses nothing.
    expect((await host.eiproute('status', '--eips', '198.51.100.10')).out).to.equal(
      '198.51.100.10  routed    default/web  n1 n2(draining) n3\n',
    );
    await daemon.says(/node-drains.*"node":"n2"/);
    // A cordon is no drain by default, and the autoscaler's taint is.
    const taints = [{ key: 'ToBeDeletedByClusterAutoscaler', effect: 'NoSchedule' }];
    host.put(
      rawNode('n3', { addresses: ['10.0.0.13', '2001:db8:10::13'], spec: { unschedulable: true } }),
      rawNode('n1', { addresses: ['10.0.0.11', '2001:db8:10::11'], spec: { taints } }),
    );
    await daemon.says(/node-drains.*"node":"n1"/);
    await host.eiproute('undrain', 'n2');
    await daemon.says(/node-undrained.*"node":"n2"/);
    const by = '(annotation eiproute.io/drain is set ("WHO"))';
    const drains = (await told()).filter((line) => / node n/.test(line));
    expect(drains.map((line) => line.replace(/"\S+@\S+"/, '"WHO"'))).to.deep.equal([
      `~  node n2 gets no new flows while another node can serve: ${by.slice(1, -1)}`,
      '~  node n1 gets no new flows while another node can serve: the cluster autoscaler is about to delete it',
      `~  node n2 no longer drains ${by}: it gets new flows again`,
    ]);
    expect((await told('--node', 'n2')).filter((line) => / node n/.test(line))).to.have.length(2);
  });

  it('follows what comes, over a restart of the daemon', async () => {
    const child = tied(host.argv('events', '-f', '--eip', '198.51.100.30'), {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
    const ended = once(child, 'close');
    const says = (pattern: RegExp): Promise<string> =>
      until(
        `it says ${pattern}`,
        () => text,
        (seen) => pattern.test(seen),
      );
    host.put(...serviceOn('more', ['198.51.100.30']));
    await says(/ {2}\+ {2}198\.51\.100\.30 \(default\/more\) is routed to n1, n2, n3\n/);
    await daemon.stop();
    await says(/\neiproute: no gateway daemon answers at /);
    daemon = await host.start();
    await host.ip('route delete 198.51.100.30');
    await says(/ {2}! {2}198\.51\.100\.30 .*it is restored\n$/);
    child.kill('SIGINT');
    expect((await ended)[0]).to.equal(130);
  });

  it('says that no daemon runs', async () => {
    await using other = await GatewayHost.make();
    const { status, out, err } = await other.eiproute('events');
    expect({ status, out }).to.deep.equal({ status: 1, out: '' });
    expect(err).to.match(/^eiproute: no gateway daemon answers at /);
  });
});
