import { expect } from 'chai';
import { type ExecCredential, runExecPlugin } from '../../../src/cluster/exec-plugin.ts';
import type { ClusterEntry, ExecPlugin } from '../../../src/cluster/kubeconfig.ts';

const cluster: ClusterEntry = {
  name: 'prod',
  server: 'https://192.0.2.1:6443',
  authority: undefined,
  skipTlsVerify: false,
  tlsServerName: 'api',
  proxy: undefined,
  execConfig: { audience: 'x' },
};

function shell(script: string, more: Partial<ExecPlugin> = {}): Promise<ExecCredential> {
  const plugin: ExecPlugin = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command: 'sh',
    args: ['-c', script],
    env: {},
    installHint: undefined,
    provideClusterInfo: false,
    ...more,
  };
  return runExecPlugin(plugin, cluster);
}

function prints(status: object, more: object = {}): string {
  return `printf %s '${JSON.stringify({ kind: 'ExecCredential', status, ...more })}'`;
}

/** The error with all of its causes. */
async function refusal(work: Promise<unknown>): Promise<string> {
  const words: string[] = [];
  await work.catch((error: unknown) => {
    for (let at = error; at instanceof Error; at = at.cause) words.push(at.message);
  });
  return words.join(' | ');
}

describe('an exec plugin', () => {
  it('gives a token with its end', async () => {
    const end = '2026-11-26T12:00:00Z';
    expect(await shell(prints({ token: 'abc', expirationTimestamp: end }))).to.deep.equal({
      token: 'abc',
      certificate: undefined,
      expires: Date.parse(end),
    });
  });

  it('gives a client certificate', async () => {
    const given = { clientCertificateData: '-----BEGIN CERTIFICATE-----', clientKeyData: 'key' };
    const { certificate, token, expires } = await shell(prints(given));
    expect(String(certificate?.certificate)).to.equal('-----BEGIN CERTIFICATE-----');
    expect(String(certificate?.key)).to.equal('key');
    expect([token, expires]).to.deep.equal([undefined, Number.POSITIVE_INFINITY]);
  });

  it('gets the cluster when it asks for it, and the environment of the kubeconfig', async () => {
    const script = `printf '{"kind":"ExecCredential","status":{"token":"%s"}}' "$(printf %s "$A$KUBERNETES_EXEC_INFO" | base64 -w0)"`;
    const tell = async (provideClusterInfo: boolean): Promise<string> => {
      const { token = '' } = await shell(script, { provideClusterInfo, env: { A: 'env ' } });
      return Buffer.from(token, 'base64').toString();
    };
    const version = 'client.authentication.k8s.io/v1';
    expect(await tell(false)).to.equal(
      `env {"kind":"ExecCredential","apiVersion":"${version}","spec":{"interactive":false}}`,
    );
    expect(JSON.parse((await tell(true)).slice(4)).spec.cluster).to.deep.equal({
      server: 'https://192.0.2.1:6443',
      'tls-server-name': 'api',
      config: { audience: 'x' },
    });
  });

  const wrong: readonly (readonly [name: string, script: string, says: RegExp])[] = [
    ['prints a bare token', 'echo hunter2', /^sh printed 8 bytes that are no JSON$/],
    ['prints something else', `echo '"hunter2"'`, /^sh printed no ExecCredential$/],
    ['returns no token', prints({}), /^sh returned neither a token nor a client certificate$/],
    ['returns no status', `echo '{"kind":"ExecCredential"}'`, /returned neither/],
    ['returns an empty token', prints({ token: '' }), /returned neither/],
    [
      'returns a token with a line break',
      prints({ token: 'hunter\n2' }),
      /^the token of sh has a sign .* U\+000A at position 7 of 8$/,
    ],
    ['returns half a certificate', prints({ token: 'hunter2', clientKeyData: 'x' }), /returned only one of/],
    [
      'returns no PEM',
      prints({ clientCertificateData: 'hunter2', clientKeyData: 'x' }),
      /without a certificate in PEM/,
    ],
    [
      'speaks another version',
      prints({ token: 'hunter2' }, { apiVersion: 'client.authentication.k8s.io/v1beta1' }),
      /of another apiVersion than/,
    ],
    [
      'returns an end that is no time',
      prints({ token: 'hunter2', expirationTimestamp: 'soon' }),
      /expirationTimestamp that is no time/,
    ],
    ['fails', `echo "log in first" >&2; echo hunter2; exit 3`, /^sh ended with status 3: log in first$/],
    ['prints without end', 'yes hunter2', /^sh printed more than 1048576 bytes$/],
  ];
  for (const [name, script, says] of wrong) {
    it(`that ${name} is refused, and no token is in the message`, async () => {
      const words = await refusal(shell(script));
      expect(words).to.match(says);
      expect(words).not.to.include('hunter');
    });
  }

  it('that hangs is ended, and what it has started does not matter', async () => {
    const plugin: ExecPlugin = {
      apiVersion: 'client.authentication.k8s.io/v1',
      command: 'sh',
      args: ['-c', 'sleep 5; true'],
      env: {},
      installHint: undefined,
      provideClusterInfo: false,
    };
    expect(await refusal(runExecPlugin(plugin, cluster, 50))).to.equal(
      'sh was ended: it took longer than 0.05 s',
    );
  });

  it('that is not there is reported with its installHint', async () => {
    const words = await refusal(shell('', { command: 'eip-no-such', installHint: 'get it\nthere' }));
    expect(words).to.match(/^spawn eip-no-such ENOENT; get it, there/);
  });
});
