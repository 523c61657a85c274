import { readFileSync } from 'node:fs';
import { createSecureContext, getCACertificates, type SecureContext } from 'node:tls';
import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici';
import { type ExecCredential, runExecPlugin } from './exec-plugin.ts';
import { certificateEnd, earliest, tokenEnd } from './expiry.ts';
import {
  type ClusterEntry,
  headerFault,
  isPem,
  type Kubeconfig,
  type Pem,
  type UserEntry,
} from './kubeconfig.ts';
import { type KubernetesAccess, loadKubeconfig } from './kubeconfig-files.ts';
import { CredentialsError } from './transport.ts';

/** Everything that a request needs. */
export interface Session {
  /** `https://192.0.2.1:6443`, without a slash at the end */
  readonly server: string;
  /** Where the address of the server is written, for messages. */
  readonly from: string;
  readonly dispatcher: Dispatcher;
  /** ms since the epoch when the client certificate or token of the kubeconfig ends; undefined: neither says so */
  readonly expires: number | undefined;
  /** Asks the token file or the exec plugin again when what it gave has expired. */
  headers(): Promise<Record<string, string | string[]>>;
}

/** What a TLS connection to the API server needs. */
interface Tls {
  /** Who is believed, and who we are; made once for all connections. */
  readonly secureContext: SecureContext;
  readonly rejectUnauthorized?: false;
  readonly servername?: string;
}

/** How a source of credentials gives the authorization header; a client certificate needs none. */
type Authorization = () => Promise<string | undefined>;

/** ms for which a token file is not read again, as in client-go */
const tokenFileAge = 60_000;

/**
 * Reads the kubeconfig, makes credentials and a connection pool from it.
 *
 * @param read called with the cluster of the kubeconfig, before any credentials are asked for
 * @throws CredentialsError which names the file, what is wrong with it and what to do
 */
export async function openSession(
  access: KubernetesAccess,
  read: (cluster: ClusterEntry) => void = () => {},
): Promise<Session> {
  const { name, config } = loadKubeconfig(access);
  const { cluster, user } = config;
  read(cluster);
  const { authorization, certificate } = await authorize(name, config);
  const { tls, own } = tlsOf(name, cluster, user, certificate);
  // What is fetched anew by itself ends often, and no person has to care.
  const certificateEnds = user.certificate && own && certificateEnd(own);
  const tokenEnds = user.credential.kind === 'token' ? tokenEnd(user.credential.token) : undefined;
  const fixed = { accept: 'application/json', 'user-agent': 'eiproute', ...user.impersonate };
  return {
    server: cluster.server,
    from: name,
    dispatcher: dispatcherOf(cluster, tls),
    expires: earliest(certificateEnds, tokenEnds),
    headers: async () => {
      const value = await authorization();
      return value === undefined ? { ...fixed } : { ...fixed, authorization: value };
    },
  };
}

/** The first credentials, and where the next ones come from. */
async function authorize(
  name: string,
  { cluster, user }: Kubeconfig,
): Promise<{ authorization: Authorization; certificate: ExecCredential['certificate'] }> {
  const { credential } = user;
  const told = async <T>(work: () => T | Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      throw new CredentialsError(
        `${name}: no credentials for user "${user.name}": ${error.message}`,
        'try the same kubeconfig with kubectl on this machine',
        { cause: error },
      );
    }
  };
  switch (credential.kind) {
    case 'none':
      return { authorization: async () => undefined, certificate: undefined };
    case 'token':
      return { authorization: async () => `Bearer ${credential.token}`, certificate: undefined };
    case 'password': {
      const pair = Buffer.from(`${credential.username}:${credential.password}`).toString('base64');
      return { authorization: async () => `Basic ${pair}`, certificate: undefined };
    }
    case 'token file': {
      const file = renewed(async () => {
        const token = tokenOf(credential.path);
        return { token, expires: Date.now() + tokenFileAge };
      });
      await told(file);
      const authorization = async () => `Bearer ${(await told(file)).token}`;
      return { authorization, certificate: undefined };
    }
    case 'exec': {
      const plugin = renewed(() => runExecPlugin(credential.plugin, cluster));
      const { certificate } = await told(plugin);
      const authorization = async () => {
        const { token } = await told(plugin);
        return token === undefined ? undefined : `Bearer ${token}`;
      };
      return { authorization, certificate };
    }
    default:
      return credential satisfies never;
  }
}

/** Asks again once what was given has expired; requests that come together share one answer. */
function renewed<T extends { readonly expires: number }>(ask: () => Promise<T>): () => Promise<T> {
  let given: T | undefined;
  let asking: Promise<T> | undefined;
  return async () => {
    if (given !== undefined && given.expires > Date.now()) return given;
    asking ??= ask().finally(() => {
      asking = undefined;
    });
    given = await asking;
    return given;
  };
}

function tokenOf(path: string): string {
  const token = readFileSync(path, 'utf8').trim();
  const fault = headerFault(token);
  if (fault !== undefined) throw new Error(`the token in ${path} ${fault}`);
  return token;
}

/**
 * @param given a client certificate of an exec plugin, which counts before the kubeconfig's
 * @returns also the client certificate
 */
function tlsOf(
  name: string,
  cluster: ClusterEntry,
  user: UserEntry,
  given: ExecCredential['certificate'],
): { readonly tls: Tls; readonly own: Buffer | undefined } {
  const { authority, skipTlsVerify, tlsServerName } = cluster;
  const pair = user.certificate;
  try {
    const cert = given?.certificate ?? (pair && bytesOf(pair.certificate, 'CERTIFICATE'));
    const key = given?.key ?? (pair && bytesOf(pair.key, '[A-Z ]*PRIVATE KEY'));
    const believed = authority && bytesOf(authority, 'CERTIFICATE');
    // A key that belongs to another certificate is found here, not in the first connection.
    const secureContext = createSecureContext({
      ...(skipTlsVerify ? {} : { ca: believed ?? wellKnown() }),
      ...(cert && key ? { cert, key } : {}),
    });
    const tls = {
      secureContext,
      ...(skipTlsVerify ? ({ rejectUnauthorized: false } as const) : {}),
      ...(tlsServerName === undefined ? {} : { servername: tlsServerName }),
    };
    return { tls, own: cert };
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    throw new CredentialsError(
      `${name}: the certificates of cluster "${cluster.name}" or user "${user.name}" cannot be used: ${error.message}`,
      'check certificate-authority, client-certificate and client-key',
      { cause: error },
    );
  }
}

/**
 * The authorities that Node believes by itself, and those of NODE_EXTRA_CA_CERTS. With --use-openssl-ca of bin/node-options.sh,
 * which keeps Node from parsing them all as soon as TLS is loaded, Node would believe those of the host where it is given none.
 *
 * @returns undefined: Node takes them by itself
 */
function wellKnown(): string[] | undefined {
  if (!process.execArgv.includes('--use-openssl-ca')) return undefined;
  return [...new Set([...getCACertificates('bundled'), ...getCACertificates('default')])];
}

function bytesOf(pem: Pem, label: string): Buffer {
  if (pem.kind === 'data') return pem.pem;
  const bytes = readFileSync(pem.path);
  if (!isPem(bytes, label)) throw new Error(`${pem.path} holds no ${label.replace(/^.*\*/, '')} in PEM`);
  return bytes;
}

/**
 * Bytes that the API server may send of one response before they are read, as with client-go: a page of a list comes
 * while the one before it is read, and needs no answer of ours in between. undici's own limit is 256 KiB, and 512 for
 * all. It reads this one from the options themselves, and not from `h2Options.settings`.
 */
const pageWindow = 4 * 2 ** 20;

/** ms for a TCP and TLS connection, and for a proxy's answer to CONNECT: undici would wait five minutes for that */
const connectLimit = 10_000;

function dispatcherOf({ proxy }: ClusterEntry, tls: Tls): Dispatcher {
  // Watches are as quiet as the cluster: the reflector has its own clock for silence. The pings and probes make a
  // path that is gone without a word answer with a reset.
  const options = {
    headersTimeout: 0,
    bodyTimeout: 0,
    h2Options: { pingInterval: 15_000, connectionWindowSize: 4 * pageWindow },
    initialWindowSize: pageWindow,
  };
  if (proxy) {
    const clientFactory = (origin: URL, given: object) =>
      new Pool(origin, { ...given, headersTimeout: connectLimit });
    const proxyTls =
      proxy.protocol === 'https:' ? { secureContext: createSecureContext({ ca: wellKnown() }) } : {};
    return new ProxyAgent({ ...options, uri: proxy.href, requestTls: tls, proxyTls, clientFactory });
  }
  const connect = { ...tls, timeout: connectLimit, keepAlive: true, keepAliveInitialDelay: 30_000 };
  return new Agent({ ...options, connect });
}
