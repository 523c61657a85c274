import { existsSync, readFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { delimiter, join } from 'node:path';
import { type Kubeconfig, readKubeconfig } from './kubeconfig.ts';
import { compareAdvice } from './kubeconfig-field.ts';
import { CredentialsError } from './transport.ts';

/** Where the credentials come from. */
export interface KubernetesAccess {
  /** A kubeconfig file; undefined: $KUBECONFIG, then ~/.kube/config, then the pod's service account. */
  readonly kubeconfig: string | undefined;
  /** A context of the kubeconfig; undefined: its current context. */
  readonly context: string | undefined;
}

const serviceAccount = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Finds and reads the kubeconfig, and chooses the context.
 *
 * @throws CredentialsError
 */
export function loadKubeconfig({ kubeconfig, context }: KubernetesAccess): {
  /** For messages. */
  readonly name: string;
  /** The files that were read. */
  readonly files: readonly string[];
  readonly config: Kubeconfig;
} {
  const listed = kubeconfig ?? defaultFile();
  if (listed === undefined) {
    return { name: 'the service account of the pod', files: [], config: inCluster() };
  }
  // Of several files in $KUBECONFIG some may not exist, as for kubectl.
  const several = kubeconfig === undefined && listed.includes(delimiter);
  const names = several ? listed.split(delimiter).filter((name) => name !== '') : [listed];
  const present = several ? names.filter((name) => existsSync(name)) : names;
  const files = present.length > 0 ? present : names;
  const texts = files.map((file) => ({ file, text: readText(file) }));
  return { name: listed, files, config: readKubeconfig(listed, texts, context) };
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

function inCluster(): Kubeconfig {
  const { KUBERNETES_SERVICE_HOST: host = '', KUBERNETES_SERVICE_PORT: port = '443' } = process.env;
  return {
    cluster: {
      name: 'in-cluster',
      server: `https://${isIPv6(host) ? `[${host}]` : host}:${port}`,
      authority: { kind: 'file', path: join(serviceAccount, 'ca.crt') },
      skipTlsVerify: false,
      tlsServerName: undefined,
      proxy: undefined,
      execConfig: undefined,
    },
    user: {
      name: 'in-cluster',
      credential: { kind: 'token file', path: join(serviceAccount, 'token') },
      certificate: undefined,
      impersonate: {},
    },
  };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const code = 'code' in error ? error.code : undefined;
    const advice =
      code === 'ENOENT'
        ? 'put the kubeconfig there or correct "kubeconfig" in the configuration'
        : code === 'EACCES'
          ? 'let the user that runs eiproute read it'
          : compareAdvice;
    throw new CredentialsError(`kubeconfig ${file} cannot be used: ${error.message}`, advice, {
      cause: error,
    });
  }
}
