import { expect } from 'chai';
import { type Outcome, outcome } from '../../lab/process/run.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, kindOf, serviceOn, standardWorld } from './gateway-host.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

// What asks a person first: release and purge.

/** Runs a command on a terminal of its own, and types a line. */
function onTerminal(host: GatewayHost, words: readonly string[], typed: string): Promise<Outcome> {
  const argv = ['script', '--quiet', '--return', '--command', host.argv(...words).join(' '), '/dev/null'];
  return outcome({ argv, input: `${typed}\n` });
}

describe('eiproute release', () => {
  let host: GatewayHost;
  let daemon: GatewayDaemon;

  before(async function () {
    needRoot(this);
    const shop = serviceOn('shop', ['198.51.100.31']);
    host = await GatewayHost.make({ world: [...standardWorld, ...shop] });
    daemon = await host.start();
    await host.api.stop();
    for (const kind of ['Service', 'EndpointSlice', 'Node']) host.api.objects.forget(kindOf(kind));
    await host.api.start();
    await host.statusOf(daemon, 'deletes are held', (status) =>
      status.held.some(({ reason }) => reason === 'too many at once'),
    );
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('shows what it would let go, and does nothing else, with --show', async () => {
    const before = await host.kernel();
    const { status, out, err } = await host.eiproute('release', '--show');
    expect({ status, err }).to.deep.equal({ status: 0, err: '' });
    const [head, ...lines] = out.trimEnd().split('\n');
    expect(head).to.match(
      /^4 of 4 EIPs would go: too much at once\. Held until 20\d\d-\S+ \(9 min left\)\.$/,
    );
    expect(lines.map((line) => line.replace(/ +/g, ' '))).to.deep.equal([
      ' 198.51.100.10 default/web',
      ' 198.51.100.11 default/mail',
      ' 198.51.100.31 default/shop',
      ' 2001:db8:e::10 default/web',
      'All of them are in namespace default.',
    ]);
    const json = JSON.parse((await host.eiproute('release', '--show', '--json')).out);
    expect(json.version).to.equal(1);
    expect(json.held.map(({ eip }: { eip?: string }) => eip)).to.include('198.51.100.31');
    expect(await host.kernel()).to.equal(before);
  });

  it('refuses without a terminal to ask on, unless it is told --yes', async () => {
    const { status, out, err } = await host.eiproute('release');
    expect({ status, out }).to.deep.equal({ status: 1, out: '' });
    expect(err).to.match(
      /^eiproute: release lets \d+ deletes go, and stdin is no terminal to ask on: say --yes if that is meant$/m,
    );
    expect(await host.routing()).to.include('198.51.100.31');
  });

  it('releases the one that is named, and no other', async () => {
    const no = await host.eiproute('release', '198.51.100.99', '--yes');
    expect({ status: no.status, err: no.err }).to.deep.equal({
      status: 1,
      err: 'eiproute: no delete of 198.51.100.99 is held; eiproute release --show lists those that are\n',
    });
    const shown = await host.eiproute('release', '198.51.100.11', '--show');
    expect(shown.out).to.match(
      /^1 of 4 held EIPs would go, the others stay held: .*\n {2}198.51.100.11 {2}default\/mail\n$/,
    );
    const { status, out, err } = await host.eiproute('release', '198.51.100.11', '--yes');
    expect({ status, out, err }).to.deep.equal({ status: 0, out: '1 held delete is released\n', err: '' });
    await daemon.says(/an operator released.*198.51.100.11|198.51.100.11.*an operator released/);
    await until(
      'it is gone',
      () => host.routing(),
      (now) => !now.includes('198.51.100.11 '),
    );
    await until(
      'the others are still held',
      () => host.eiproute('release', '--show'),
      (now) => /^3 of 3 EIPs would go/.test(now.out),
    );
    for (const eip of ['198.51.100.10', '198.51.100.31']) expect(await host.routing()).to.include(eip);
  });

  it('asks on a terminal, and takes only yes for yes', async () => {
    for (const typed of ['', 'y', 'no']) {
      const { status, out } = await onTerminal(host, ['release'], typed);
      expect(status, typed).to.equal(1);
      expect(out).to.match(/Let them go\? Only "yes" is accepted: /);
      expect(out).to.match(/nothing was released/);
    }
    expect(await host.routing()).to.include('198.51.100.31');
    const { status, out } = await onTerminal(host, ['release'], 'yes');
    expect({ status, released: /\d+ held deletes are released/.test(out) }, out).to.deep.equal({
      status: 0,
      released: true,
    });
    await until(
      'all EIPs are gone',
      () => host.routing(),
      (now) => now === '',
    );
    expect(await host.eiproute('release')).to.deep.equal({ status: 0, out: 'nothing is held\n', err: '' });
    expect((await host.eiproute('release', '--show')).out).to.equal('nothing is held\n');
  });
});

describe('eiproute purge', () => {
  let host: GatewayHost;

  before(async function () {
    needRoot(this);
    host = await GatewayHost.make();
    const daemon = await host.start();
    await daemon.stop();
  });
  after(async () => {
    await host?.[Symbol.asyncDispose]();
  });

  it('refuses without a terminal to ask on, unless it is told --yes', async () => {
    const before = await host.kernel();
    const { status, out, err } = await host.eiproute('purge');
    expect({ status, out }).to.deep.equal({ status: 1, out: '' });
    expect(err).to.match(
      /^eiproute: purge deletes \d+ objects from the kernel, puts \d+ settings back and removes 3 files, and stdin is no terminal to ask on: say --yes if that is meant\n$/,
    );
    expect(await host.kernel()).to.equal(before);
  });

  it('asks on a terminal', async () => {
    const before = await host.kernel();
    const no = await onTerminal(host, ['purge'], 'no');
    expect(no.status).to.equal(1);
    expect(no.out).to.match(/as commands: eiproute purge --dry-run/);
    expect(no.out).to.match(/nothing was removed/);
    expect(await host.kernel()).to.equal(before);
    const yes = await onTerminal(host, ['purge'], 'yes');
    expect(yes.status, yes.out).to.equal(0);
    expect(await host.ours()).to.equal('');
  });

  it('does not ask where there is nothing to remove', async () => {
    expect(await host.eiproute('purge')).to.deep.equal({ status: 0, out: '', err: '' });
  });
});
