import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { rawSlice } from '../../lab/cluster/manifests.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, localServiceOn } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

/** The parts of a plain group follow from who was there before: what nobody remembers is divided evenly, and flows move. */
describe('a gateway that restarts while nodes cover for another', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;

  beforeEach(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    daemon = await host.start();
    host.put(...localServiceOn('shop', ['198.51.100.40'], ['n1', 'n2', 'n3']));
    await daemon.says(/eip-routed.*"eip":"198.51.100.40"/);
  });
  afterEach(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  /** Of each group with two members or more, sorted: `2/1` has twice as much for the first. */
  const weights = async (): Promise<string> => {
    const groups = [...(await host.ours()).matchAll(/ group (\S+\/\S+)/g)].map(([, members = '']) =>
      members.split('/').map((member) => member.split(',')[1] ?? '1'),
    );
    return groups
      .map((group) => group.join('/'))
      .sort()
      .join(' ');
  };
  const become = (wanted: string): Promise<string> =>
    until(`the weights are ${wanted}`, weights, (seen) => seen === wanted);

  /** Starts the gateway again, and sees that it changes nothing, not even for a moment. */
  async function goesOn(before: string): Promise<void> {
    await using watch = await host.watch();
    daemon = await host.start();
    await host.synced(daemon);
    expect(await host.ours()).to.equal(before);
    expect(await watch.take()).to.deep.equal([]);
  }

  it('leaves their parts as they are, after a Node was deleted', async () => {
    host.delete('Node', 'n1');
    // The group of IPv4, which both EIPs share, and that of IPv6.
    await become('2/1 2/1');
    const before = await host.ours();
    await daemon.stop();
    await goesOn(before);
  });

  it('leaves their parts as they are, after a pod was gone and the gateway was killed', async () => {
    host.put(
      rawSlice(
        'shop',
        ['n2', 'n3'].map((node, i) => ({ ip: `10.244.0.${i + 11}`, node, ready: true })),
      ),
    );
    await become('1/1/1 1/1/1 2/1');
    const before = await host.ours();
    await until(
      'it is saved',
      () => readFile(join(host.state, 'covering.json'), 'utf8').catch(() => ''),
      (text) => text.includes('default/shop'),
    );
    await daemon.stop('SIGKILL');
    await goesOn(before);
  });
});
