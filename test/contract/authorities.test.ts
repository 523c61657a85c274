import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { parse, stringify } from 'yaml';
import { type ApiServer, startApiServer } from '../../lab/cluster/api-server.ts';

/** Prints how many authorities a session believes, and what the server answers to it. */
const asks = `
  import { syncBuiltinESMExports } from 'node:module';
  const tls = process.getBuiltinModule('node:tls');
  const { createSecureContext } = tls;
  const seen = [];
  tls.createSecureContext = (options) => {
    seen.push(options.ca);
    return createSecureContext(options);
  };
  syncBuiltinESMExports();
  const { HttpTransport } = await import(process.argv[1]);
  await using transport = new HttpTransport({ kubeconfig: process.argv[2], context: undefined });
  const answer = await transport.probe(new AbortController().signal).catch((error) => error.cause?.code ?? error.message);
  process.stdout.write(JSON.stringify({ answer, believed: seen[0]?.length }));`;

describe('an API server whose authority the kubeconfig does not name', () => {
  const source = new URL('../../src/cluster/http.ts', import.meta.url).href;
  let server: ApiServer;
  let folder = '';
  let kubeconfig = '';
  let authority = '';
  before(async () => {
    server = await startApiServer();
    folder = await mkdtemp(join(tmpdir(), 'eiproute-authorities-'));
    const config = parse(server.kubeconfig());
    const [{ cluster }] = config.clusters;
    authority = join(folder, 'authority.pem');
    await writeFile(authority, Buffer.from(cluster['certificate-authority-data'], 'base64'));
    delete cluster['certificate-authority-data'];
    kubeconfig = join(folder, 'kubeconfig');
    await writeFile(kubeconfig, stringify(config));
  });
  after(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const ask = async (options: readonly string[], env: Readonly<Record<string, string>>): Promise<unknown> => {
    const words = ['--no-warnings', ...options, '--input-type=module', '-e', asks, source, kubeconfig];
    const { NODE_EXTRA_CA_CERTS: _, ...rest } = process.env;
    const { stdout } = await promisify(execFile)(process.execPath, words, { env: { ...rest, ...env } });
    return JSON.parse(stdout);
  };

  for (const [whose, options, ours] of [
    ['a command', [], {}],
    ['a daemon', ['--use-openssl-ca'], { believed: rootCertificates.length }],
  ] as const) {
    it(`is believed by ${whose} for Node's own authorities and those of NODE_EXTRA_CA_CERTS`, async () => {
      expect(await ask(options, { NODE_EXTRA_CA_CERTS: authority })).to.deep.equal({
        answer: 200,
        ...('believed' in ours && { believed: ours.believed + 1 }),
      });
    });

    it(`is not believed by ${whose} for those of the host`, async () => {
      expect(await ask(options, { SSL_CERT_FILE: authority })).to.deep.equal({
        answer: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
        ...ours,
      });
    });
  }

  it('is believed for those of the host where the administrator has said so', async () => {
    const env = { NODE_OPTIONS: '--use-openssl-ca', SSL_CERT_FILE: authority };
    expect(await ask([], env)).to.deep.equal({ answer: 200 });
  });
});
