import { expect } from 'chai';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { redactKubeconfig, withoutSecrets } from '../../../src/explain/secrets.ts';

const key = `-----BEGIN EC PRIVATE KEY-----
MHcCAQEEIPLANTEDPLANTEDPLANTEDPLANTEDPLANTEDPLANTED01
oAoGCCqGSM49AwEHoUQDQgAEPLANTEDPLANTEDPLANTEDPLANTED02
-----END EC PRIVATE KEY-----
`;
const planted = {
  token: 'planted-token-1',
  password: 'planted-password-2',
  env: 'planted-env-3',
  arg: 'planted-arg-4',
  proxy: 'planted-proxy-5',
  provider: 'planted-provider-6',
};

const kubeconfig = stringify({
  apiVersion: 'v1',
  clusters: [
    { name: 'c', cluster: { server: 'https://192.0.2.1:6443', 'proxy-url': `http://u:${planted.proxy}@p` } },
  ],
  users: [
    { name: 'a', user: { token: planted.token } },
    { name: 'b', user: { 'client-key-data': Buffer.from(key).toString('base64') } },
    { name: 'c', user: { username: 'me', password: planted.password } },
    {
      name: 'd',
      user: {
        exec: {
          command: 'login',
          args: [`--key=${planted.arg}`],
          env: [{ name: 'LOGIN', value: planted.env }],
        },
      },
    },
    { name: 'e', user: { 'auth-provider': { config: { 'refresh-token': planted.provider } } } },
    { name: 'f', user: { tokenFile: 'secrets/token', 'client-key': '/etc/key.pem' } },
  ],
  contexts: [{ name: 'x', context: { cluster: 'c', user: 'a' } }],
  'current-context': 'x',
});

describe('redactKubeconfig', () => {
  const { text, secrets, files } = redactKubeconfig(kubeconfig);

  it('leaves no secret of any user', () => {
    for (const secret of [...Object.values(planted), 'PLANTED', Buffer.from(key).toString('base64')])
      expect(text).not.to.include(secret);
  });

  it('leaves what a bug report needs', () => {
    const { clusters, users } = JSON.parse(text);
    expect(clusters[0].cluster.server).to.equal('https://192.0.2.1:6443');
    expect(users.map(({ name }: { name: string }) => name).join('')).to.equal('abcdef');
    expect(users[3].user.exec).to.deep.equal({
      command: 'login',
      args: ['REMOVED'],
      env: [{ name: 'LOGIN', value: 'REMOVED' }],
    });
  });

  it('names the files that hold more of them', () => {
    expect(files).to.deep.equal(['secrets/token', '/etc/key.pem']);
  });

  it('hands its secrets on, so that they are found elsewhere', () => {
    const elsewhere = [
      `exec plugin failed: login --key=${planted.arg} says no`,
      `token ${planted.token} of password=${planted.password}`,
      Buffer.from(planted.token).toString('base64'),
      key,
      key.split('\n').join('\\n'),
      `a line of it: ${key.split('\n')[1]}`,
    ].join('\n');
    const clean = withoutSecrets(elsewhere, secrets);
    for (const secret of [...Object.values(planted), 'PLANTED']) expect(clean).not.to.include(secret);
    expect(clean).not.to.include(Buffer.from(planted.token).toString('base64'));
  });
});

describe('withoutSecrets', () => {
  const cases: Readonly<Record<string, string>> = {
    'Authorization: Bearer abcdefgh12345': 'Authorization: Bearer REMOVED',
    'jwt eyJhbGciOi.eyJpc3MiOi.c2ln here': 'jwt REMOVED here',
    'http://user:pw@192.0.2.1/': 'http://REMOVED@192.0.2.1/',
    '# password: hunter2': '# password: REMOVED',
    '{"client_secret":"x1","name":"web"}': '{"client_secret":"REMOVED","name":"web"}',
    [`before ${key.trim()} after`]: 'before REMOVED after',
    'ip route add 198.51.100.10 nhid 260000000 proto 86':
      'ip route add 198.51.100.10 nhid 260000000 proto 86',
  };
  for (const [text, want] of Object.entries(cases)) {
    it(`makes ${JSON.stringify(want)}`, () => {
      expect(withoutSecrets(text, [])).to.equal(want);
    });
  }

  it('leaves no secret of four signs or more, wherever it stands and however it is written', () => {
    const secret = fc
      .string({ minLength: 4 })
      .filter((one) => one.trim().length >= 4 && !'REMOVED'.includes(one.trim()));
    fc.assert(
      fc.property(secret, fc.string(), fc.string(), (one, before, after) => {
        const forms = [
          one.trim(),
          Buffer.from(one.trim()).toString('base64'),
          encodeURIComponent(one.trim()),
        ];
        for (const form of forms) {
          const clean = withoutSecrets(`${before}${form}${after}`, [one]);
          // What stands for it may itself make the secret anew with its surroundings; then it was none of ours.
          const stays = clean.split('REMOVED').some((part) => part.includes(form));
          expect(stays, clean).to.equal(false);
        }
      }),
    );
  });
});
