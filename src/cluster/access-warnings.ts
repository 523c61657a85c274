import { statSync } from 'node:fs';
import type { Problem } from '../model/problem.ts';
import { type KubernetesAccess, loadKubeconfig } from './kubeconfig-files.ts';
import { CredentialsError } from './transport.ts';

/** Read and write for others, write for the group. */
const unsafeMode = 0o026;

/**
 * What a person should know about the way to the API server although it works.
 *
 * @returns nothing for a kubeconfig that can not be used: the feeds report what is wrong with it
 */
export function accessWarnings(
  access: KubernetesAccess,
  env: Readonly<Record<string, string | undefined>>,
): readonly Problem[] {
  let loaded: ReturnType<typeof loadKubeconfig>;
  try {
    loaded = loadKubeconfig(access);
  } catch (error) {
    if (error instanceof CredentialsError) return [];
    throw error;
  }
  const { cluster } = loaded.config;
  const problems: Problem[] = [];
  for (const file of loaded.files) {
    const mode = (statSync(file, { throwIfNoEntry: false })?.mode ?? 0) & 0o777;
    if ((mode & unsafeMode) === 0) continue;
    problems.push({
      code: 'kubeconfig-mode',
      severity: 'warn',
      subject: file,
      message: `${file} has mode ${mode.toString(8).padStart(4, '0')}: others than its owner and group can read or write it, and so have its credentials`,
      advice: `chmod 0640 ${file}`,
    });
  }
  if (cluster.skipTlsVerify) {
    problems.push({
      code: 'tls-not-verified',
      severity: 'warn',
      subject: cluster.server,
      message: `insecure-skip-tls-verify is true for ${cluster.server}: any server that answers there gets the credentials, and decides what is routed`,
      advice: 'put certificate-authority-data into the kubeconfig instead',
    });
  }
  const variable = ['HTTPS_PROXY', 'https_proxy'].find((name) => env[name]);
  if (variable !== undefined && cluster.proxy === undefined) {
    problems.push({
      code: 'proxy-not-used',
      severity: 'warn',
      subject: cluster.server,
      message: `${variable} is set, and is not used for ${cluster.server}`,
      advice: 'if the API server is behind the proxy, write proxy-url into the kubeconfig',
    });
  }
  return problems;
}
