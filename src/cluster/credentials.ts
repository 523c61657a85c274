import { existsSync, readFileSync } from 'node:fs';
import { validateHeaderValue } from 'node:http';
import type { RequestOptions } from 'node:https';
import { delimiter, dirname, isAbsolute, join } from 'node:path';
import type { Cluster, KubeConfig, User } from '@kubernetes/client-node';
import { Agent, type Dispatcher, ProxyAgent } from 'undici';
import { parseDocument } from 'yaml';
import { CredentialsError } from './transport.ts';

/** Where the credentials come from. */
export interface KubernetesAccess {
  /** A kubeconfig file; undefined: $KUBECONFIG, then ~/.kube/config, then the pod's service account. */
  readonly kubeconfig: string | undefined;
  /** A context of the kubeconfig; undefined: its current context. */
  readonly context: string | undefined;
}

/** Everything that a request needs. */
export interface Session {
  /** `https://192.0.2.1:6443`, without a slash at the end */
  readonly server: string;
  readonly dispatcher: Dispatcher;
  /** Asks the token file or the exec plugin again when what it gave has expired. */
  headers(): Promise<Record<string, string>>;
}

/**
 * Reads the kubeconfig, makes credentials and a connection pool from it.
 *
 * @throws CredentialsError which names the file, what is wrong with it and what to do
 */
export async function openSession(access: KubernetesAccess): Promise<Session> {
  const { name, config } = await load(access);
  const cluster = config.getCurrentCluster();
  if (cluster === null) throw new CredentialsError(`${name}: no cluster`, 'check current-context');
  const options = await apply(config, name);
  return {
    server: cluster.server,
    dispatcher: await dispatcherOf(config, cluster, options, name),
    headers: async () => headersOf(await apply(config, name), config.getCurrentUser(), name),
  };
}

async function load({
  kubeconfig,
  context,
}: KubernetesAccess): Promise<{ name: string; config: KubeConfig }> {
  // Costs 60 MB and half a second (measured with 2.0.1), which a file as the source need not pay.
  const client = await import('@kubernetes/client-node');
  const config = new client.KubeConfig();
  const file = kubeconfig ?? defaultFile();
  const name = file ?? 'the service account of the pod';
  try {
    if (file === undefined) config.loadFromCluster();
    // Several files are merged.
    else if (kubeconfig === undefined && file.includes(delimiter)) config.loadFromDefault();
    else {
      const text = readFileSync(file, 'utf8');
      config.loadFromString(text);
      config.makePathsAbsolute(dirname(file));
      addTokenFiles(config, text, dirname(file));
    }
  } catch (error) {
    throw unreadable(name, error);
  }
  choose(config, name, context);
  return { name, config };
}

/** Where kubectl would look; undefined: we run in a pod. */
function defaultFile(): string | undefined {
  const { KUBECONFIG, HOME, KUBERNETES_SERVICE_HOST } = process.env;
  if (KUBECONFIG) return KUBECONFIG;
  const home = join(HOME ?? '/', '.kube', 'config');
  if (existsSync(home)) return home;
  if (KUBERNETES_SERVICE_HOST) return undefined;
  throw new CredentialsError(
    `there is no kubeconfig: $KUBECONFIG is not set, ${home} does not exist, and this is no pod`,
    'set "kubeconfig" in the configuration',
  );
}

function choose(config: KubeConfig, name: string, context: string | undefined): void {
  if (context !== undefined) config.setCurrentContext(context);
  const names = config.getContexts().map((each) => `"${each.name}"`);
  const wanted = config.getCurrentContext();
  const chosen = config.getContextObject(wanted);
  const known = names.length === 0 ? 'it has no contexts' : `it has ${names.join(', ')}`;
  if (chosen === null) {
    const what = wanted ? `has no context "${wanted}"` : 'has no current-context';
    throw new CredentialsError(
      `${name}: ${what}`,
      `${known}; set "context" in the configuration to one of them`,
    );
  }
  const cluster = config.getCluster(chosen.cluster);
  if (cluster === null) {
    throw new CredentialsError(
      `${name}: context "${wanted}" names the cluster "${chosen.cluster}", which is not in the file`,
      'add it under "clusters"',
    );
  }
  if (config.getUser(chosen.user) === null) {
    throw new CredentialsError(
      `${name}: context "${wanted}" names the user "${chosen.user}", which is not in the file`,
      'add it under "users"',
    );
  }
  if (!URL.canParse(cluster.server)) {
    throw new CredentialsError(
      `${name}: the server of cluster "${cluster.name}" is "${cluster.server}", which is no URL`,
      'it looks like https://192.0.2.1:6443',
    );
  }
}

function unreadable(name: string, error: unknown): CredentialsError {
  if (!(error instanceof Error)) throw error;
  const code = 'code' in error ? error.code : undefined;
  const advice =
    code === 'ENOENT'
      ? 'put the kubeconfig there or correct "kubeconfig" in the configuration'
      : code === 'EACCES'
        ? 'let the user that runs eiproute read it'
        : 'compare it with a kubeconfig that kubectl accepts';
  // YAML errors show the lines around; the first one says it all.
  const [what = ''] = error.message.split('\n');
  return new CredentialsError(`kubeconfig ${name} can not be used: ${what}`, advice, { cause: error });
}

// client-node 2.0.1 looks for "token-file", but the field of the API is "tokenFile". As an auth provider it is read
// again every minute.
function addTokenFiles(config: KubeConfig, text: string, folder: string): void {
  const document = parseDocument(text);
  for (const [at, user] of config.users.entries()) {
    const file = document.getIn(['users', at, 'user', 'tokenFile']);
    if (typeof file !== 'string' || user.token !== undefined || user.authProvider) continue;
    const tokenFile = isAbsolute(file) ? file : join(folder, file);
    config.users[at] = { ...user, authProvider: { name: 'tokenFile', config: { tokenFile } } };
  }
}

async function apply(config: KubeConfig, name: string): Promise<RequestOptions> {
  const options: RequestOptions = {};
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CredentialsError(
      `${name}: no credentials for user "${config.getCurrentUser()?.name ?? ''}": ${error.message.trim()}`,
      'try the same kubeconfig with kubectl on this machine',
      { cause: error },
    );
  }
  return options;
}

function headersOf(options: RequestOptions, user: User | null, file: string): Record<string, string> {
  const headers: Record<string, string> = { accept: 'application/json', 'user-agent': 'eiproute' };
  if (user?.username) {
    const pair = Buffer.from(`${user.username}:${user.password}`).toString('base64');
    return { ...headers, authorization: `Basic ${pair}` };
  }
  for (const [key, value] of Object.entries(options.headers ?? {})) {
    // A token file ends in a newline, which no header can hold.
    const trimmed = String(value ?? '').trim();
    if (!isHeaderValue(trimmed)) {
      throw new CredentialsError(
        `${file}: the token of user "${user?.name ?? ''}" holds a character that no HTTP header can hold`,
        'write it anew: a token is one line of Latin letters, digits and signs',
      );
    }
    if (value !== undefined) headers[key.toLowerCase()] = trimmed;
  }
  return headers;
}

// undici 8.12 leaves the other requests of a connection unanswered for ever when it refuses the header of one.
function isHeaderValue(text: string): boolean {
  try {
    validateHeaderValue('authorization', text);
    return true;
  } catch (error) {
    if (error instanceof TypeError && 'code' in error && error.code === 'ERR_INVALID_CHAR') return false;
    throw error;
  }
}

async function dispatcherOf(
  config: KubeConfig,
  cluster: Cluster,
  { ca, cert, key, passphrase, rejectUnauthorized, servername }: RequestOptions,
  name: string,
): Promise<Dispatcher> {
  const given = { ca, cert, key, passphrase, rejectUnauthorized, servername };
  const tls = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  // Watches are as quiet as the cluster: the reflector has its own clock for silence. The pings and probes make a
  // path that is gone without a word answer with a reset.
  const options = {
    headersTimeout: 0,
    bodyTimeout: 0,
    h2Options: { pingInterval: 15_000 },
  };
  const connect = { ...tls, timeout: 10_000, keepAlive: true, keepAliveInitialDelay: 30_000 };
  try {
    const wanted = config.createDispatcherOptions(cluster, tls);
    switch (wanted.type) {
      case 'proxy':
        return new ProxyAgent({ ...options, uri: wanted.uri, requestTls: tls });
      case 'socks': {
        const { HttpMethod, RequestContext } = await import('@kubernetes/client-node');
        const context = new RequestContext(cluster.server, HttpMethod.GET);
        await config.applySecurityAuthentication(context);
        const dispatcher = context.getDispatcher();
        if (dispatcher === undefined) throw new Error(`no way through the proxy ${cluster.proxyUrl ?? ''}`);
        return dispatcher;
      }
      case 'agent':
      case 'none':
        return new Agent({ ...options, connect });
      default:
        return wanted satisfies never;
    }
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CredentialsError(
      `${name}: cluster "${cluster.name}": ${error.message}`,
      'check server, certificate-authority and proxy-url',
      { cause: error },
    );
  }
}
