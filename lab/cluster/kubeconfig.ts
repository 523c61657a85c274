import { stringify } from 'yaml';
import type { JsonObject } from './api/json.ts';

/**
 * A kubeconfig with one context, as YAML.
 *
 * @param server `https://10.0.0.10:6443`
 * @param authority the certificate that signed the server's; PEM
 * @param user what a kubeconfig says of a user: `{ token }`, `{ tokenFile }`
 */
export function kubeconfigOf(server: string, authority: string, user: JsonObject): string {
  const name = 'eiproute-demo';
  const data = Buffer.from(authority).toString('base64');
  return stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name, cluster: { server, 'certificate-authority-data': data } }],
    users: [{ name, user }],
    contexts: [{ name, context: { cluster: name, user: name } }],
    'current-context': name,
  });
}
