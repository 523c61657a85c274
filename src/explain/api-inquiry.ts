import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import type { Dispatcher } from 'undici';
import { accessWarnings } from '../cluster/access-warnings.ts';
import { openSession, type Session } from '../cluster/credentials.ts';
import { errorOf, feedFailure } from '../cluster/failure.ts';
import type { Kubeconfig, Pem } from '../cluster/kubeconfig.ts';
import { type KubernetesAccess, loadKubeconfig } from '../cluster/kubeconfig-files.ts';
import { request } from '../cluster/request.ts';
import { UnreachableError } from '../cluster/transport.ts';
import type { ApiFacts, CredentialFacts } from './doctor-facts.ts';
import { certificateExpiry, tokenExpiry } from './expiry.ts';
import type { Right } from './rights.ts';

/** ms for one answer */
const patience = 5000;

/** Asks the API server for its version, for its time, and for what these credentials may do. Writes nothing. */
export async function askApi(
  access: KubernetesAccess,
  env: Readonly<Record<string, string | undefined>>,
  rights: readonly Right[],
  signal: AbortSignal,
): Promise<ApiFacts> {
  const unknown = {
    server: undefined,
    version: undefined,
    latency: undefined,
    certificateEnds: undefined,
    ahead: undefined,
    credential: undefined,
    rights: { kind: 'not asked', why: 'the API server does not answer' },
    warnings: accessWarnings(access, env),
  } as const;
  const limit = AbortSignal.any([signal, AbortSignal.timeout(patience)]);
  let server: string | undefined;
  let credential: CredentialFacts | undefined;
  try {
    const { config } = loadKubeconfig(access);
    server = config.cluster.server;
    credential = credentialOf(config);
    const session = await openSession(access);
    try {
      const certificateEnds = await serverCertificate(config, signal);
      // The second one has no handshake before it.
      await answerOf(session, 'GET', '/version', undefined, limit);
      const start = performance.now();
      const { json, date } = await answerOf(session, 'GET', '/version', undefined, limit);
      const latency = Math.round((performance.now() - start) * 10) / 10;
      return {
        ...unknown,
        server,
        trouble: undefined,
        version: versionOf(json),
        latency,
        certificateEnds,
        ahead: date === undefined ? undefined : aheadOf(Date.now(), date),
        credential,
        rights: await Promise.all(
          rights.map(async (right) => ({ right, allowed: await mayI(session, right, limit) })),
        ),
      };
    } finally {
      await session.dispatcher.destroy();
    }
  } catch (error) {
    signal.throwIfAborted();
    const said = limit.aborted && server !== undefined ? silence(server, access) : error;
    return { ...unknown, server, credential, trouble: feedFailure(said, 'services', 'ready') };
  }
}

function silence(server: string, access: KubernetesAccess): Error {
  const cause = Object.assign(new Error('no answer in time'), { code: 'UND_ERR_CONNECT_TIMEOUT' });
  return new UnreachableError(server, loadKubeconfig(access).name, cause);
}

/** The server tells whole seconds, which it rounds down: a clock within that second is right. */
function aheadOf(now: number, date: number): number {
  if (now < date) return now - date;
  return now < date + 1000 ? 0 : now - date - 1000;
}

interface Answered {
  readonly json: unknown;
  /** ms since the epoch */
  readonly date: number | undefined;
}

async function answerOf(
  session: Session,
  method: 'GET' | 'POST',
  path: string,
  body: object | undefined,
  signal: AbortSignal,
): Promise<Answered> {
  let answer: Dispatcher.ResponseData;
  try {
    answer = await request(session, path, {
      method,
      headers: { ...(await session.headers()), 'content-type': 'application/json' },
      body: body === undefined ? null : JSON.stringify(body),
      signal,
    });
  } catch (error) {
    throw error instanceof Error ? new UnreachableError(session.server, session.from, error) : error;
  }
  const text = await answer.body.text();
  const json = parsed(text);
  if (answer.statusCode >= 300) throw errorOf(json, answer.statusCode);
  const date = Date.parse(String(answer.headers['date']));
  return { json, date: Number.isNaN(date) ? undefined : date };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { message: text.trim().slice(0, 200) };
  }
}

function versionOf(json: unknown): string | undefined {
  return typeof json === 'object' && json !== null && 'gitVersion' in json
    ? String(json.gitVersion)
    : undefined;
}

const reviews = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

async function mayI(session: Session, right: Right, signal: AbortSignal): Promise<boolean> {
  const body = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectAccessReview',
    spec: { resourceAttributes: right },
  };
  const { json } = await answerOf(session, 'POST', reviews, body, signal);
  const status = typeof json === 'object' && json !== null && 'status' in json ? json.status : undefined;
  return typeof status === 'object' && status !== null && 'allowed' in status && status.allowed === true;
}

/** The end of the certificate that the server shows; undefined behind a proxy, and for plain http. */
async function serverCertificate({ cluster }: Kubeconfig, signal: AbortSignal): Promise<number | undefined> {
  const { protocol, hostname, port } = new URL(cluster.server);
  if (protocol !== 'https:' || cluster.proxy !== undefined) return undefined;
  const { promise, resolve } = Promise.withResolvers<number | undefined>();
  const socket = connectTls({
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port || 443),
    // Only looked at: nothing is sent, and the request after this one verifies it.
    rejectUnauthorized: false,
    timeout: patience,
  });
  const end = (): void => {
    socket.destroy();
    resolve(undefined);
  };
  signal.addEventListener('abort', end, { once: true });
  socket.once('timeout', end);
  // The request that follows says in words why the server cannot be reached.
  socket.once('error', end);
  socket.once('secureConnect', () => {
    const ends = Date.parse(socket.getPeerCertificate().valid_to);
    socket.destroy();
    resolve(Number.isNaN(ends) ? undefined : ends);
  });
  return await promise;
}

/** What ends first. */
function credentialOf({ user }: Kubeconfig): CredentialFacts {
  const found: CredentialFacts[] = [];
  if (user.certificate !== undefined)
    found.push({
      what: 'the client certificate',
      ends: certificateExpiry(bytesOf(user.certificate.certificate)),
    });
  const { credential } = user;
  switch (credential.kind) {
    case 'token':
      found.push({ what: 'the token', ends: tokenExpiry(credential.token) });
      break;
    case 'token file':
      found.push({
        what: `the token in ${credential.path}`,
        ends: tokenExpiry(readFileSync(credential.path, 'utf8').trim()),
      });
      break;
    case 'password':
      found.push({ what: 'a password', ends: undefined });
      break;
    case 'exec':
      found.push({ what: `the exec plugin ${credential.plugin.command}`, ends: undefined });
      break;
    case 'none':
      break;
    default:
      return credential satisfies never;
  }
  found.sort((a, b) => (a.ends ?? Number.POSITIVE_INFINITY) - (b.ends ?? Number.POSITIVE_INFINITY));
  return found[0] ?? { what: 'no credentials at all', ends: undefined };
}

function bytesOf(pem: Pem): Buffer {
  return pem.kind === 'data' ? pem.pem : readFileSync(pem.path);
}
