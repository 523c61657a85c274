import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { expect } from 'chai';
import { stringify } from 'yaml';
import { openSession } from '../../../src/cluster/credentials.ts';
import { apiPeer, type Kubeconfig, type Pem, readKubeconfig } from '../../../src/cluster/kubeconfig.ts';
import { loadKubeconfig } from '../../../src/cluster/kubeconfig-files.ts';
import { CredentialsError } from '../../../src/cluster/transport.ts';

const certificate = '-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n';
const key = '-----BEGIN PRIVATE KEY-----\nMA==\n-----END PRIVATE KEY-----\n';
const base64 = (text: string): string => Buffer.from(text).toString('base64');

function kubeconfig(user: object, cluster: object = {}, name = 'prod'): string {
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': name,
    clusters: [{ name, cluster: { server: 'https://192.0.2.1:6443', ...cluster } }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    users: [{ name, user }],
  });
}

function read(text: string, context?: string): Kubeconfig {
  return readKubeconfig('/etc/kube', [{ file: '/etc/kube', text }], context);
}

/** The error in one line, as the daemon tells it. */
function refusal(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof CredentialsError) return `${error.message}; ${error.advice}`;
    throw error;
  }
  throw new Error('it is taken');
}

describe('a kubeconfig', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'eiproute-kubeconfig-'));
    mkdirSync(join(folder, 'pki'));
    writeFileSync(join(folder, 'pki/ca.crt'), certificate);
    writeFileSync(join(folder, 'pki/client.crt'), `${certificate}\n`);
    writeFileSync(join(folder, 'pki/client.key'), key);
    writeFileSync(join(folder, 'token'), 'from-the-file\n');
  });
  after(() => rmSync(folder, { recursive: true }));

  const bytes = async (pem: Pem | undefined): Promise<string | undefined> => {
    if (pem === undefined) return undefined;
    if (pem.kind === 'data') return pem.pem.toString();
    const { readFile } = await import('node:fs/promises');
    return readFile(pem.path, 'utf8');
  };

  describe("means what the Kubernetes project's own client makes of it:", () => {
    const cases: readonly (readonly [name: string, user: object, cluster?: object])[] = [
      ['a token', { token: 'abc' }],
      ['name and password', { username: 'jane', password: 'a:b' }],
      [
        'a client certificate as data',
        { 'client-certificate-data': base64(certificate), 'client-key-data': base64(key) },
      ],
      [
        'a client certificate in files',
        { 'client-certificate': 'pki/client.crt', 'client-key': 'pki/client.key' },
      ],
      ['an authority as data', { token: 'abc' }, { 'certificate-authority-data': base64(certificate) }],
      ['an authority in a file', { token: 'abc' }, { 'certificate-authority': 'pki/ca.crt' }],
      ['no verification', { token: 'abc' }, { 'insecure-skip-tls-verify': true }],
      ['another name in TLS', { token: 'abc' }, { 'tls-server-name': 'api.example.net' }],
      ['somebody to act for', { token: 'abc', as: 'jane' }],
      [
        'an exec plugin',
        {
          exec: {
            apiVersion: 'client.authentication.k8s.io/v1',
            command: 'sh',
            args: ['-c', 'echo "{\\"kind\\":\\"ExecCredential\\",\\"status\\":{\\"token\\":\\"$GIVEN\\"}}"'],
            env: [{ name: 'GIVEN', value: 'abc' }],
          },
        },
      ],
    ];
    for (const [name, user, cluster] of cases) {
      it(name, async () => {
        const file = join(folder, 'kubeconfig');
        writeFileSync(file, kubeconfig(user, cluster));
        const theirs = new KubeConfig();
        theirs.loadFromFile(file);
        const options: RequestOptions = {};
        await theirs.applyToHTTPSOptions(options);

        const ours = loadKubeconfig({ kubeconfig: file, context: undefined }).config;
        expect(ours.cluster.server).to.equal(theirs.getCurrentCluster()?.server);
        expect({
          ca: await bytes(ours.cluster.authority),
          cert: await bytes(ours.user.certificate?.certificate),
          key: await bytes(ours.user.certificate?.key),
          rejectUnauthorized: ours.cluster.skipTlsVerify ? false : undefined,
          servername: ours.cluster.tlsServerName,
        }).to.deep.equal({
          ca: options.ca?.toString(),
          cert: options.cert?.toString(),
          key: options.key?.toString(),
          rejectUnauthorized: options.rejectUnauthorized,
          servername: options.servername,
        });
        // No certificate of these can be used for TLS.
        if (ours.user.certificate || ours.cluster.authority) return;
        const session = await openSession({ kubeconfig: file, context: undefined });
        const { accept, 'user-agent': agent, ...headers } = await session.headers();
        expect([accept, agent]).to.deep.equal(['application/json', 'eiproute']);
        const wanted = Object.entries({ ...options.headers }).map(([field, value]) => [
          field.toLowerCase(),
          value,
        ]);
        const basic = options.auth ? [['authorization', `Basic ${base64(options.auth)}`]] : [];
        expect(headers).to.deep.equal(Object.fromEntries([...wanted, ...basic]));
        await session.dispatcher.destroy();
      });
    }
  });

  it('says which address connections go to', () => {
    const peer = (cluster: object) => apiPeer(read(kubeconfig({}, cluster)).cluster);
    expect(peer({ server: 'https://192.0.2.1:6443' })).to.deep.equal({ ip: '192.0.2.1', from: 'server' });
    expect(peer({ server: 'https://[2001:DB8::1]/east' })).to.deep.equal({
      ip: '2001:db8::1',
      from: 'server',
    });
    expect(peer({ server: 'https://api.example:6443' })).to.equal(undefined);
    const proxied = (proxy: string) => peer({ server: 'https://192.0.2.1:6443', 'proxy-url': proxy });
    expect(proxied('socks5://[2001:db8::7]:1080')).to.deep.equal({ ip: '2001:db8::7', from: 'proxy-url' });
    expect(proxied('http://proxy.example:3128')).to.equal(undefined);
  });

  it('names files relative to itself', () => {
    const { user, cluster } = read(
      kubeconfig(
        { tokenFile: 'token', 'client-certificate': '/pki/a', 'client-key': 'b' },
        { 'certificate-authority': '../ca.crt' },
      ),
    );
    expect(user.credential).to.deep.equal({ kind: 'token file', path: '/etc/token' });
    expect(user.certificate).to.deep.equal({
      certificate: { kind: 'file', path: '/pki/a' },
      key: { kind: 'file', path: '/etc/b' },
    });
    expect(cluster.authority).to.deep.equal({ kind: 'file', path: '/ca.crt' });
  });

  it('prefers data to the file beside it, and the token file to the token', () => {
    const { user, cluster } = read(
      kubeconfig(
        { token: 'abc', tokenFile: '/t' },
        { 'certificate-authority': '/x', 'certificate-authority-data': base64(certificate) },
      ),
    );
    expect(user.credential).to.deep.equal({ kind: 'token file', path: '/t' });
    expect(cluster.authority).to.deep.include({ kind: 'data' });
  });

  it('may impersonate a user with groups', () => {
    const { user } = read(kubeconfig({ token: 'abc', as: 'jane', 'as-uid': '7', 'as-groups': ['a', 'b'] }));
    expect(user.impersonate).to.deep.equal({
      'impersonate-user': 'jane',
      'impersonate-uid': '7',
      'impersonate-group': ['a', 'b'],
    });
  });

  it('reads every field of an exec plugin', () => {
    const exec = {
      apiVersion: 'client.authentication.k8s.io/v1beta1',
      command: './bin/plugin',
      args: ['-a', ''],
      env: [{ name: 'A', value: 'b' }],
      installHint: 'get it',
      provideClusterInfo: true,
      interactiveMode: 'IfAvailable',
    };
    const extension = { name: 'client.authentication.k8s.io/exec', extension: { audience: 'x' } };
    const { user, cluster } = read(kubeconfig({ exec }, { extensions: [extension] }));
    expect(user.credential).to.deep.equal({
      kind: 'exec',
      plugin: {
        apiVersion: 'client.authentication.k8s.io/v1beta1',
        command: '/etc/bin/plugin',
        args: ['-a', ''],
        env: { A: 'b' },
        installHint: 'get it',
        provideClusterInfo: true,
      },
    });
    expect(cluster.execConfig).to.deep.equal({ audience: 'x' });
  });

  it('is not looked at where it belongs to another context', () => {
    const text = `${kubeconfig({ token: 'abc' })}`.replace(
      'clusters:',
      'clusters:\n  - name: broken\n    cluster: { server: 7 }',
    );
    expect(read(text).user.credential).to.deep.equal({ kind: 'token', token: 'abc' });
  });

  it('of several files is the first that has an entry, as kubectl merges them', () => {
    const first = kubeconfig({ token: 'first' }, {}, 'a');
    const second = kubeconfig({ token: 'second' }, {}, 'b').replace(
      /users:/,
      'users:\n  - name: a\n    user: { token: x }',
    );
    const files = [
      { file: '/1', text: first },
      { file: '/2', text: second },
    ];
    expect(readKubeconfig('/1:/2', files, undefined).user.credential).to.deep.include({ token: 'first' });
    expect(readKubeconfig('/1:/2', files, 'b').user.credential).to.deep.include({ token: 'second' });
  });

  const wrong: readonly (readonly [name: string, text: string, says: RegExp])[] = [
    ['no YAML', 'a: [', /^kubeconfig \/etc\/kube:1:5 cannot be used: it is not YAML: /],
    ['empty', '', /it is empty/],
    ['two documents', 'a: b\n---\nc: d\n', /:2:1 cannot be used: a second YAML document/],
    ['a list', '- a\n', /must be a section of keys/],
    [
      'a token that is a number',
      kubeconfig({ token: 7 }),
      /\/etc\/kube:16:14 cannot be used: users\[0\]\.user\.token must be text, not a number/,
    ],
    [
      'a token with a line break',
      kubeconfig({ token: 'hunter\ntwo' }),
      /users\[0\]\.user\.token has a sign that no HTTP header can hold in a token: U\+000A at position 7 of 10; renew the token/,
    ],
    [
      'an API server over http',
      kubeconfig({ token: 'hunter' }).replace('https://', 'http://'),
      /^kubeconfig \/etc\/kube:\d+:\d+ cannot be used: clusters\[0\]\.cluster\.server of cluster ".*" begins with http: /,
    ],
    ['a token in other letters', kubeconfig({ token: 'токен' }), /U\+0442 at position 1 of 5/],
    ['a token of blanks', kubeconfig({ token: '  ' }), /users\[0\]\.user\.token is empty/],
    [
      'a token beside a password',
      kubeconfig({ token: 'abc', username: 'jane' }),
      /username stands beside a token/,
    ],
    [
      'a certificate without a key',
      kubeconfig({ 'client-certificate': 'x' }),
      /^kubeconfig \/etc\/kube:16:7 cannot be used: users\[0\]\.user\.client-key is missing/,
    ],
    ['a key without a certificate', kubeconfig({ 'client-key': 'x' }), /client-certificate is missing/],
    [
      'data that is not base64',
      kubeconfig({ token: 'abc' }, { 'certificate-authority-data': 'hunter2!' }),
      /certificate-authority-data is not base64/,
    ],
    [
      'data that is no certificate',
      kubeconfig({ token: 'abc' }, { 'certificate-authority-data': 'aHVudGVyMg==' }),
      /holds no certificate in PEM/,
    ],
    [
      'no verification beside an authority',
      kubeconfig({}, { 'certificate-authority': 'x', 'insecure-skip-tls-verify': true }),
      /is true beside a certificate-authority; remove/,
    ],
    ['a flag in words', kubeconfig({}, { 'insecure-skip-tls-verify': 'yes' }), /must be true or false/],
    [
      'a proxy of another kind',
      kubeconfig({}, { 'proxy-url': 'socks4://u:hunter2@proxy' }),
      /proxy-url is no URL of a proxy; it begins with http/,
    ],
    [
      'an auth provider',
      kubeconfig({ 'auth-provider': { name: 'gcp' } }),
      /"gcp" of user "prod": auth provider plugins are not supported/,
    ],
    [
      'an exec plugin of an old version',
      kubeconfig({ exec: { apiVersion: 'client.authentication.k8s.io/v1alpha1', command: 'x' } }),
      /apiVersion is ".*v1alpha1"; it must be .*v1 or .*v1beta1/,
    ],
    [
      'an exec plugin that wants a terminal',
      kubeconfig({
        exec: { apiVersion: 'client.authentication.k8s.io/v1', command: 'x', interactiveMode: 'Always' },
      }),
      /wants to ask a person/,
    ],
    [
      'an exec plugin without a command',
      kubeconfig({ exec: { apiVersion: 'client.authentication.k8s.io/v1' } }),
      /exec\.command is missing/,
    ],
    [
      'extra fields of impersonation',
      kubeconfig({ as: 'a', 'as-user-extra': { b: ['c'] } }),
      /as-user-extra is not supported/,
    ],
    ['groups without a name to act for', kubeconfig({ 'as-groups': ['a'] }), /as is missing beside/],
    [
      'a line break in a name to act for',
      kubeconfig({ as: 'a\nb' }),
      /\.as has a sign that no HTTP header can hold/,
    ],
    [
      'a name twice',
      kubeconfig({}).replace('users:', 'users:\n  - name: prod\n    user: {}'),
      /users\[1\]\.name is here twice/,
    ],
    [
      'an alias that unfolds without end',
      'a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c]\n',
      /Excessive alias count/,
    ],
  ];
  for (const [name, text, says] of wrong) {
    it(`is refused with ${name}, and its secrets are not in the message`, () => {
      const words = refusal(() => read(text));
      expect(words).to.match(says);
      expect(words).not.to.match(/hunter|two|токен/);
    });
  }

  it('is refused when its token file holds no token', async () => {
    for (const [text, says] of [
      ['\n', /the token in \S+ is empty/],
      ['hunter\ntwo\n', /U\+000A at position 7 of 10/],
    ] as const) {
      writeFileSync(join(folder, 'bad-token'), text);
      const file = join(folder, 'kubeconfig');
      writeFileSync(file, kubeconfig({ tokenFile: 'bad-token' }));
      let words = '';
      await openSession({ kubeconfig: file, context: undefined }).catch((error: unknown) => {
        words = String(error);
      });
      expect(words)
        .to.match(says)
        .and.to.match(/no credentials for user "prod"/);
      expect(words).not.to.match(/hunter|two/);
    }
  });
});
