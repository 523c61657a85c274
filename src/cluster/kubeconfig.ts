import { isIP } from 'node:net';
import { dirname, isAbsolute, join } from 'node:path';
import type { ApiPeer } from '../model/cluster.ts';
import { parseIp } from '../model/ip.ts';
import { KubeconfigField } from './kubeconfig-field.ts';
import { CredentialsError } from './transport.ts';

// The fields of a kubeconfig as kubectl reads them (k8s.io/client-go/tools/clientcmd/api/v1). What belongs to other
// contexts than the chosen one is not looked at: it may be wrong without harm.

/** A file of PEM, or what a `-data` field holds. */
export type Pem =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'data'; readonly pem: Buffer };

export interface ClusterEntry {
  readonly name: string;
  /** `https://192.0.2.1:6443`, without a slash at the end */
  readonly server: string;
  readonly authority: Pem | undefined;
  readonly skipTlsVerify: boolean;
  readonly tlsServerName: string | undefined;
  readonly proxy: URL | undefined;
  /** What the cluster has for exec plugins: its extension client.authentication.k8s.io/exec. */
  readonly execConfig: unknown;
}

export interface UserEntry {
  readonly name: string;
  readonly credential: Credential;
  /** Beside any of the credentials. */
  readonly certificate: { readonly certificate: Pem; readonly key: Pem } | undefined;
  /** Headers that ask the API server to act for another user. */
  readonly impersonate: Readonly<Record<string, string | string[]>>;
}

export type Credential =
  | { readonly kind: 'none' }
  | { readonly kind: 'token'; readonly token: string }
  /** It is read again now and then. */
  | { readonly kind: 'token file'; readonly path: string }
  | { readonly kind: 'password'; readonly username: string; readonly password: string }
  | { readonly kind: 'exec'; readonly plugin: ExecPlugin };

export const execVersions = [
  'client.authentication.k8s.io/v1',
  'client.authentication.k8s.io/v1beta1',
] as const;
export type ExecVersion = (typeof execVersions)[number];

export interface ExecPlugin {
  readonly apiVersion: ExecVersion;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** What a person does who has not installed it. */
  readonly installHint: string | undefined;
  readonly provideClusterInfo: boolean;
}

export interface Kubeconfig {
  readonly cluster: ClusterEntry;
  readonly user: UserEntry;
}

/**
 * The cluster and the user of one context.
 *
 * @param name of the whole, for messages
 * @param files read in the order of $KUBECONFIG: of entries with the same name the first one counts
 * @param context undefined: the current one
 * @throws CredentialsError
 */
export function readKubeconfig(
  name: string,
  files: readonly { readonly file: string; readonly text: string }[],
  context: string | undefined,
): Kubeconfig {
  const roots = files.map(({ file, text }) => KubeconfigField.parse(file, text));
  const contexts = named(roots, 'contexts');
  const wanted =
    context ?? roots.map((root) => root.get('current-context').text()).find((text) => text !== undefined);
  const chosen = wanted === undefined ? undefined : contexts.get(wanted);
  if (wanted === undefined || chosen === undefined) {
    const what = wanted === undefined ? 'has no current-context' : `has no context "${wanted}"`;
    const known =
      contexts.size === 0
        ? 'it has no contexts'
        : `it has ${[...contexts.keys()].map((each) => `"${each}"`).join(', ')}`;
    throw new CredentialsError(
      `${name}: ${what}`,
      `${known}; set "context" in the configuration to one of them`,
    );
  }
  const about = chosen.get('context');
  const clusterName = about.get('cluster').required();
  const userName = about.get('user').required();
  const cluster = named(roots, 'clusters').get(clusterName);
  const user = named(roots, 'users').get(userName);
  if (cluster === undefined) {
    throw new CredentialsError(
      `${name}: context "${wanted}" names the cluster "${clusterName}", which is not in the file`,
      'add it under "clusters"',
    );
  }
  if (user === undefined) {
    throw new CredentialsError(
      `${name}: context "${wanted}" names the user "${userName}", which is not in the file`,
      'add it under "users"',
    );
  }
  return {
    cluster: clusterEntry(clusterName, cluster.get('cluster')),
    user: userEntry(userName, user.get('user')),
  };
}

/** The address that connections go to; undefined: a name, which is resolved for each of them. */
export function apiPeer({ server, proxy }: Pick<ClusterEntry, 'server' | 'proxy'>): ApiPeer | undefined {
  const host = (proxy ?? new URL(server)).hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) === 0) return undefined;
  return { ip: parseIp(host), from: proxy === undefined ? 'server' : 'proxy-url' };
}

function named(
  roots: readonly KubeconfigField[],
  list: 'contexts' | 'clusters' | 'users',
): ReadonlyMap<string, KubeconfigField> {
  const found = new Map<string, KubeconfigField>();
  for (const root of roots) {
    const here = new Set<string>();
    for (const item of root.get(list).items()) {
      const name = item.get('name').required();
      if (here.has(name)) throw item.get('name').wrong('is here twice');
      here.add(name);
      if (!found.has(name)) found.set(name, item);
    }
  }
  return found;
}

function clusterEntry(name: string, field: KubeconfigField): ClusterEntry {
  const skipTlsVerify = field.get('insecure-skip-tls-verify').flag();
  const authority = pem(field, 'certificate-authority', 'CERTIFICATE');
  if (skipTlsVerify && authority !== undefined) {
    throw field
      .get('insecure-skip-tls-verify')
      .wrong('is true beside a certificate-authority', 'remove insecure-skip-tls-verify');
  }
  return {
    name,
    server: serverOf(name, field.get('server'), skipTlsVerify),
    authority,
    skipTlsVerify,
    tlsServerName: field.get('tls-server-name').text(),
    proxy: proxyOf(field.get('proxy-url')),
    execConfig: field
      .get('extensions')
      .items()
      .find((item) => item.get('name').text() === 'client.authentication.k8s.io/exec')
      ?.get('extension').value,
  };
}

function serverOf(cluster: string, field: KubeconfigField, skipTlsVerify: boolean): string {
  const server = field.required().replace(/\/+$/, '');
  const advice = 'it looks like https://192.0.2.1:6443';
  const url = URL.parse(server);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw field.wrong(`of cluster "${cluster}" is "${server}", which is no URL of an API server`, advice);
  }
  if (url.protocol === 'http:' && !skipTlsVerify) {
    throw field.wrong(
      `of cluster "${cluster}" begins with http: HTTP protocol is not allowed, since the credentials could be read on the way`,
      `${advice}; insecure-skip-tls-verify: true allows http`,
    );
  }
  return server;
}

function proxyOf(field: KubeconfigField): URL | undefined {
  const text = field.text();
  if (text === undefined) return undefined;
  const url = URL.parse(text);
  switch (url?.protocol) {
    case 'http:':
    case 'https:':
    case 'socks5:':
      return url;
    // Go takes them for the same: names are resolved by the proxy.
    case 'socks5h:':
      return new URL(text.replace(/^socks5h:/i, 'socks5:'));
    default:
      // A URL may hold a password.
      throw field.wrong('is no URL of a proxy', 'it begins with http://, https:// or socks5://');
  }
}

function userEntry(name: string, field: KubeconfigField): UserEntry {
  const provider = field.get('auth-provider');
  if (provider.exists) {
    const plugin = provider.get('name').text() ?? '';
    throw provider.wrong(
      `"${plugin}" of user "${name}": auth provider plugins are not supported; Kubernetes 1.26 has removed those of gcp and azure`,
      'use an exec plugin, a token or a client certificate',
    );
  }
  const certificate = pem(field, 'client-certificate', 'CERTIFICATE');
  const key = pem(field, 'client-key', '[A-Z ]*PRIVATE KEY');
  if (certificate !== undefined && key === undefined) throw field.get('client-key').wrong('is missing');
  if (certificate === undefined && key !== undefined) {
    throw field.get('client-certificate').wrong('is missing');
  }
  return {
    name,
    credential: credentialOf(field),
    certificate: certificate && key && { certificate, key },
    impersonate: impersonation(field),
  };
}

/** In the order in which kubectl prefers them. */
function credentialOf(field: KubeconfigField): Credential {
  const tokenFile = field.get('tokenFile').text();
  const token = field.get('token').text();
  const username = field.get('username').text();
  if (username !== undefined && (token !== undefined || tokenFile !== undefined)) {
    throw field.get('username').wrong('stands beside a token', 'leave one of them');
  }
  if (tokenFile !== undefined) return { kind: 'token file', path: resolve(field, tokenFile) };
  if (token !== undefined) {
    const why = headerFault(token);
    if (why !== undefined) throw field.get('token').wrong(why, 'renew the token');
    return { kind: 'token', token: token.trim() };
  }
  if (username !== undefined) {
    return { kind: 'password', username, password: field.get('password').text() ?? '' };
  }
  const exec = field.get('exec');
  return exec.exists ? { kind: 'exec', plugin: execPlugin(exec) } : { kind: 'none' };
}

/** Why a token can not be sent; undefined when it can. White space around it is not part of it. */
export function headerFault(token: string): string | undefined {
  const text = token.trim();
  if (text === '') return 'is empty';
  const at = text.search(/[^\x21-\x7e]/);
  if (at < 0) return undefined;
  const code = (text.codePointAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  return `has a sign that no HTTP header can hold in a token: U+${code} at position ${at + 1} of ${text.length}`;
}

function execPlugin(field: KubeconfigField): ExecPlugin {
  const version = field.get('apiVersion').required();
  const apiVersion = execVersions.find((known) => known === version);
  if (apiVersion === undefined) {
    throw field.get('apiVersion').wrong(`is "${version}"`, `it must be ${execVersions.join(' or ')}`);
  }
  if (field.get('interactiveMode').text() === 'Always') {
    throw field
      .get('interactiveMode')
      .wrong('is Always: the plugin wants to ask a person', 'use one that needs no terminal');
  }
  const command = field.get('command').required();
  const env: Record<string, string> = {};
  for (const item of field.get('env').items()) {
    env[item.get('name').required()] = item.get('value').text() ?? '';
  }
  return {
    apiVersion,
    // A bare name is looked up in PATH.
    command: command.includes('/') ? resolve(field, command) : command,
    args: field
      .get('args')
      .items()
      .map((item) => item.text() ?? ''),
    env,
    installHint: field.get('installHint').text(),
    provideClusterInfo: field.get('provideClusterInfo').flag(),
  };
}

function impersonation(field: KubeconfigField): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = {};
  const sent = (item: KubeconfigField): string | undefined => {
    const text = item.text();
    if (text === undefined || /^[\x20-\x7e]+$/.test(text)) return text;
    throw item.wrong('has a sign that no HTTP header can hold');
  };
  const user = sent(field.get('as'));
  const uid = sent(field.get('as-uid'));
  const groups = field
    .get('as-groups')
    .items()
    .map((item) => sent(item) ?? '');
  const extra = field.get('as-user-extra');
  if (extra.exists) throw extra.wrong('is not supported', 'use as, as-uid and as-groups');
  if (user === undefined && (uid !== undefined || groups.length > 0)) {
    throw field.get('as').wrong('is missing beside as-uid or as-groups');
  }
  if (user !== undefined) headers['impersonate-user'] = user;
  if (uid !== undefined) headers['impersonate-uid'] = uid;
  if (groups.length > 0) headers['impersonate-group'] = groups;
  return headers;
}

/** A `-data` field counts before the field that names a file. */
function pem(field: KubeconfigField, key: string, label: string): Pem | undefined {
  const data = field.get(`${key}-data`);
  const bytes = data.bytes();
  if (bytes !== undefined) {
    if (!isPem(bytes, label)) throw data.wrong(`holds no ${pemWord(label)} in PEM`);
    return { kind: 'data', pem: bytes };
  }
  const path = field.get(key).text();
  return path === undefined ? undefined : { kind: 'file', path: resolve(field, path) };
}

export function isPem(bytes: Buffer, label: string): boolean {
  return new RegExp(`-----BEGIN ${label}-----`).test(bytes.toString('latin1'));
}

function pemWord(label: string): string {
  return label === 'CERTIFICATE' ? 'certificate' : 'private key';
}

/** Paths are relative to the file that names them. */
function resolve(field: KubeconfigField, path: string): string {
  return isAbsolute(path) ? path : join(dirname(field.file), path);
}
