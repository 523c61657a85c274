import { once } from 'node:events';
import { request } from 'node:http';
import { type AddressInfo, connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect } from 'chai';
import { listenReadOnly } from '../../../src/daemon/listener.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { readPage } from '../../../src/page/page.ts';

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

describe('the read-only listener', () => {
  const reply = async () => ({ status: 200, type: 'text/plain', body: 'told\n' });
  const replies = new Map([
    ['/metrics', reply],
    ['/healthz', reply],
    ['/readyz', reply],
  ]);
  const live = { stream: async () => {} };

  /** What is answered to a request for a path by a name: status and body. */
  async function asked(host: string, port: number, path: string, name: string): Promise<string> {
    const sent = request({ host, port, path, headers: { host: name }, agent: false }).end();
    const [response] = await once(sent, 'response');
    return `${response.statusCode} ${await text(response)}`.trim();
  }

  it('on loopback tells no metrics to a page that gives this host a name of its own', async () => {
    const port = await freePort();
    await using _listener = await listenReadOnly(
      { host: parseIp('127.0.0.1'), port },
      { replies, page: readPage(), live },
    );
    const ask = (path: string, name: string) => asked('127.0.0.1', port, path, name);
    for (const path of ['/metrics', '/', '/stream'])
      expect(await ask(path, 'evil.example:9469'), path).to.equal(
        '421 ask by the address of this host, or by its own name',
      );
    expect(await ask('/metrics', `127.0.0.1:${port}`)).to.equal('200 told');
    expect(await ask('/metrics', 'localhost')).to.equal('200 told');
    for (const path of ['/healthz', '/readyz'])
      expect(await ask(path, 'gw1.example'), `${path} takes no gateway away`).to.equal('200 told');
    expect(await ask('/status', 'evil.example')).to.match(/^404 /);
  });

  it('on loopback answers HTTP/1.0, which has no Host', async () => {
    const port = await freePort();
    await using _listener = await listenReadOnly(
      { host: parseIp('127.0.0.1'), port },
      { replies, page: readPage(), live },
    );
    const socket = connect(port, '127.0.0.1');
    socket.end('GET /metrics HTTP/1.0\r\n\r\n');
    expect(await text(socket)).to.match(/^HTTP\/1\.1 200 /);
  });

  it('on a network tells the metrics by any name, and the page by ours', async () => {
    const port = await freePort();
    await using _listener = await listenReadOnly(
      { host: parseIp('0.0.0.0'), port },
      { replies, page: readPage(), live },
    );
    expect(await asked('127.0.0.1', port, '/metrics', 'gw1.example:9469')).to.equal('200 told');
    expect(await asked('127.0.0.1', port, '/', 'gw1.example:9469')).to.match(/^421 /);
  });
});
