import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { rawNode } from '../../lab/cluster/manifests.ts';
import { Browser } from './browser.ts';
import type { GatewayDaemon } from './gateway-daemon.ts';
import { GatewayHost, serviceOn, standardWorld } from './gateway-host.ts';
import { needPrograms, needRoot } from './root.ts';
import { until } from './until.ts';

const listen = '127.0.0.1:9469';
const page = `http://${listen}/`;

/** A name that is no name of Kubernetes, and that a file may hold all the same. */
const hostile = '<img src=x onerror="document.title=`broken`"><script>document.title="broken"</script>';

describe('the live page in a real browser', () => {
  let host: GatewayHost;
  let browser: Browser;
  let daemon: GatewayDaemon;

  before(async function () {
    needRoot(this);
    needPrograms(this, 'chromium');
    const settings = `metrics: { listen: "${listen}" }`;
    host = await GatewayHost.make({ settings, world: [...standardWorld, ...many] });
    daemon = await host.start();
    browser = await Browser.start(host.namespace);
    await browser.size(1280, 900);
    await browser.open(page);
    await browser.shows('#state', /OK/);
  });
  after(async () => {
    await browser?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
  });

  it('says what the status says', async () => {
    const { summary } = await host.status();
    expect(await browser.text('#summary')).to.equal(summary);
    expect(await browser.text('#tiles')).to.match(/EIPS ROUTED\s+23 of 23/i);
    expect(await browser.text('#eips-list')).to.match(/198\.51\.100\.11\s+default\/mail\s+n2/);
    expect(await browser.text('#nodes-list')).to.match(/n1[\s\S]*n2[\s\S]*n3/);
    expect(await browser.evaluate<boolean>(`document.getElementById('needs').hidden`)).to.equal(true);
  });

  it('shows an EIP that comes, and what happened, without being asked', async () => {
    host.put(...serviceOn('late', ['198.51.100.77']));
    await browser.shows('#eips-list', /198\.51\.100\.77\s+default\/late/);
    await browser.shows('#events-list', /198\.51\.100\.77 \(default\/late\) is routed to n1, n2, n3/);
  });

  it('turns a node red that does not answer, and says what needs a person', async () => {
    await host.ip('neigh replace 10.0.0.12 dev eth0 nud failed');
    await browser.shows('#nodes-list', /^silent\s+n2\s/);
    await browser.shows('#needs-list', /NODE[\s\S]*n2 does not answer ARP/);
    const colour = await browser.evaluate<string>(
      `getComputedStyle(document.querySelector('#nodes-list .word')).color`,
    );
    const bad = await browser.evaluate<string>(
      `(() => { const e = document.createElement('i'); e.className = 'bad'; document.body.append(e); const c = getComputedStyle(e).color; e.remove(); return c; })()`,
    );
    expect(colour).to.equal(bad);
    await browser.shows('#eips-list', /default\/mail/);
    expect(
      await browser.evaluate<number>(`document.querySelectorAll('#eips-list .chip.down').length`),
    ).to.be.greaterThan(0);
    await host.ip('neigh replace 10.0.0.12 lladdr 02:00:5e:00:53:12 dev eth0 nud permanent');
    await browser.shows('#state', /OK/);
  });

  it('finds one EIP among many', async () => {
    await browser.evaluate(
      `(() => { const s = document.getElementById('search'); s.value = 'MAIL'; s.dispatchEvent(new Event('input')); })()`,
    );
    await until(
      'only what was searched for is left',
      () => browser.text('#eips-list'),
      (text) => /default\/mail/.test(text) && !/default\/web/.test(text),
    );
    await browser.evaluate(
      `(() => { const s = document.getElementById('search'); s.value = ''; s.dispatchEvent(new Event('input')); })()`,
    );
    await browser.shows('#eips-list', /default\/web/);
  });

  it('runs nothing that is not in the document', async () => {
    const ran = await browser.evaluate<boolean>(
      `(() => { const s = document.createElement('script'); s.textContent = 'window.ran = true'; document.body.append(s); s.remove(); return window.ran === true; })()`,
    );
    expect(ran).to.equal(false);
    // Chromium says so in the console, as it should.
    expect(browser.errors.splice(0).join()).to.match(/Content Security Policy/);
  });

  it('fits a telephone', async () => {
    for (const scheme of ['light', 'dark'] as const) {
      await browser.size(360, 740, scheme);
      const wide = await browser.evaluate<number>('document.documentElement.scrollWidth');
      expect(wide).to.be.at.most(360);
    }
  });

  it('is seen as the docs show it', async () => {
    await host.ip('neigh replace 10.0.0.13 dev eth0 nud failed');
    await host.ip('route add 198.51.100.140 via 10.0.0.98 proto static');
    host.put(...serviceOn('shop', ['198.51.100.140']));
    await browser.shows('#needs-list', /CONFLICT/);
    await browser.shows('#nodes-list', /^silent\s+n3\s/);
    for (const scheme of ['light', 'dark'] as const) {
      await browser.size(1280, 900, scheme);
      await keep(`page-${scheme}`, browser);
    }
  });

  it('writes what strangers have named as text', async () => {
    host.put(rawNode(hostile, { addresses: ['10.0.0.99'] }));
    await browser.shows('#nodes-list', /<img src=x onerror=/);
    expect(
      await browser.evaluate<number>(`document.querySelectorAll('img, #nodes-list script').length`),
    ).to.equal(0);
    expect(await browser.evaluate<string>('document.title')).to.match(/^DEGRADED · /);
    host.delete('Node', hostile);
    await until(
      'it is gone',
      () => browser.text('#nodes-list'),
      (text) => !text.includes('<img'),
    );
  });

  it('has asked nobody but this host, and has no error', () => {
    expect(browser.errors).to.deep.equal([]);
    const others = browser.requests.filter((url) => !url.startsWith(page) && !url.startsWith('data:'));
    expect(others.filter((url) => url !== 'about:blank')).to.deep.equal([]);
    expect(browser.requests.some((url) => url.includes('/stream'))).to.equal(true);
  });

  it('says when the daemon is gone, and goes on when it is back', async () => {
    const lost = `document.body.classList.contains('lost')`;
    await daemon.stop('SIGKILL');
    await until(
      'the page says that nothing answers',
      () => browser.evaluate<boolean>(lost),
      (is) => is,
    );
    expect(await browser.text('#lost')).to.match(/^No answer from the daemon/);
    daemon = host.launch();
    await until(
      'the page goes on',
      () => browser.evaluate<boolean>(lost),
      (is) => !is,
    );
    await browser.shows('#events-list', /eiproute \S+ started/);
  });

  it('is refused to a page that gives this host a name of its own', async () => {
    for (const path of ['', 'stream']) {
      const { out } = await host.within(
        ...['curl', '-sS', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}'],
        ...['-H', 'Host: evil.example:9469', `${page}${path}`],
      );
      expect(out).to.equal('421');
    }
  });
});

const many = Array.from({ length: 20 }, (_, i) => serviceOn(`app-${i}`, [`198.51.100.${100 + i}`])).flat();

/** With UPDATE_DOCS=1 the pictures of the docs are taken anew. */
async function keep(name: string, browser: Browser): Promise<void> {
  const png = await browser.picture();
  expect(png.subarray(1, 4).toString()).to.equal('PNG');
  if (!process.env['UPDATE_DOCS']) return;
  await writeFile(fileURLToPath(new URL(`../../docs/images/${name}.png`, import.meta.url)), png);
}
