import { spawn } from 'node:child_process';
import { type ClusterEntry, type ExecPlugin, headerFault, isPem } from './kubeconfig.ts';

/** What a plugin gave. */
export interface ExecCredential {
  readonly token: string | undefined;
  readonly certificate: { readonly certificate: Buffer; readonly key: Buffer } | undefined;
  /** ms since the epoch; Infinity: until the API server refuses it. */
  readonly expires: number;
}

/** ms; a plugin that asks a cloud answers within seconds. */
const longest = 60_000;
/** Bytes; a token or a certificate is a few thousand. */
const mostOutput = 1 << 20;

/**
 * Runs a credential plugin (client.authentication.k8s.io) once. Errors never hold what it printed on stdout, since
 * that may be a token; what it printed on stderr is meant for a person.
 *
 * @param patience ms
 * @throws Error that says what is wrong with the plugin
 */
export async function runExecPlugin(
  plugin: ExecPlugin,
  cluster: ClusterEntry,
  patience = longest,
): Promise<ExecCredential> {
  return credentialOf(await outputOf(plugin, execInfo(plugin, cluster), patience), plugin);
}

/** What KUBERNETES_EXEC_INFO holds. */
function execInfo({ apiVersion, provideClusterInfo }: ExecPlugin, cluster: ClusterEntry): object {
  const { authority } = cluster;
  const about = {
    server: cluster.server,
    'tls-server-name': cluster.tlsServerName,
    'insecure-skip-tls-verify': cluster.skipTlsVerify || undefined,
    'certificate-authority-data': authority?.kind === 'data' ? authority.pem.toString('base64') : undefined,
    'certificate-authority': authority?.kind === 'file' ? authority.path : undefined,
    'proxy-url': cluster.proxy?.href,
    config: cluster.execConfig,
  };
  return {
    kind: 'ExecCredential',
    apiVersion,
    spec: { interactive: false, ...(provideClusterInfo ? { cluster: about } : {}) },
  };
}

async function outputOf(
  { command, args, env, installHint }: ExecPlugin,
  info: object,
  patience: number,
): Promise<string> {
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env, KUBERNETES_EXEC_INFO: JSON.stringify(info) },
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let size = 0;
  let late = false;
  const stop = (): void => {
    child.kill('SIGKILL');
    // What it has started may hold these open.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const timer = setTimeout(() => {
    late = true;
    stop();
  }, patience);
  const keep = (into: Buffer[]) => (chunk: Buffer) => {
    size += chunk.length;
    if (size > mostOutput) stop();
    else into.push(chunk);
  };
  // Without a process there are no pipes where descriptors have run out.
  if (child.pid !== undefined) {
    child.stdout.on('data', keep(out));
    child.stderr.on('data', keep(err));
  }
  let status: number | null;
  try {
    status = await ended;
  } catch (cause) {
    if (!(cause instanceof Error)) throw cause;
    const hint = installHint === undefined ? '' : `; ${oneLine(installHint)}`;
    throw new Error(`${cause.message}${hint}`, { cause });
  } finally {
    clearTimeout(timer);
  }
  if (late) throw new Error(`${command} was ended: it took longer than ${patience / 1000} s`);
  if (size > mostOutput) throw new Error(`${command} printed more than ${mostOutput} bytes`);
  if (status === 0) return Buffer.concat(out).toString();
  const end = status === null ? `was ended by ${child.signalCode}` : `ended with status ${status}`;
  const said = oneLine(Buffer.concat(err).toString());
  throw new Error(`${command} ${end}${said === '' ? '' : `: ${said}`}`);
}

/** @throws Error without any of the output */
function credentialOf(output: string, { command, apiVersion }: ExecPlugin): ExecCredential {
  const found = fields(parse(output, command));
  if (found['kind'] !== 'ExecCredential') throw new Error(`${command} printed no ExecCredential`);
  const version = found['apiVersion'];
  if (version !== undefined && version !== apiVersion) {
    throw new Error(`${command} printed an ExecCredential of another apiVersion than ${apiVersion}`);
  }
  const status = fields(found['status']);
  const token = text(status['token'])?.trim();
  const certificate = text(status['clientCertificateData']);
  const key = text(status['clientKeyData']);
  if (token === undefined && certificate === undefined) {
    throw new Error(`${command} returned neither a token nor a client certificate`);
  }
  const fault = token === undefined ? undefined : headerFault(token);
  if (fault !== undefined) throw new Error(`the token of ${command} ${fault}`);
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Error(`${command} returned only one of clientCertificateData and clientKeyData`);
  }
  const pair = certificate !== undefined &&
    key !== undefined && { certificate: Buffer.from(certificate), key: Buffer.from(key) };
  if (pair && !isPem(pair.certificate, 'CERTIFICATE')) {
    throw new Error(`${command} returned a clientCertificateData without a certificate in PEM`);
  }
  return {
    token,
    certificate: pair || undefined,
    expires: expiry(status['expirationTimestamp'], command),
  };
}

function parse(output: string, command: string): unknown {
  try {
    return JSON.parse(output);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    // Not as the cause: V8 quotes what it could not parse.
    throw new Error(`${command} printed ${Buffer.byteLength(output)} bytes that are no JSON`);
  }
}

function expiry(value: unknown, command: string): number {
  if (value === undefined || value === null) return Number.POSITIVE_INFINITY;
  const at = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(at)) throw new Error(`${command} returned an expirationTimestamp that is no time`);
  return at;
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function oneLine(words: string): string {
  const line = words
    .trim()
    .replace(/\s*\n\s*/g, ', ')
    .replace(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '?');
  return line.length > 300 ? `${line.slice(0, 300)}...` : line;
}
