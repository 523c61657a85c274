import type { Resource } from '../model/cluster.ts';
import { ApiError, CredentialsError } from './transport.ts';

/** A request other than list and watch: verb and resource, as in RBAC rules. */
export type ApiRequest =
  | 'patch services'
  | 'patch services/status'
  | 'get configmaps'
  | 'create events'
  | 'patch events'
  | 'get leases'
  | 'patch leases';

/** Describes a failed request and what to do about it, in one line. */
export function requestFailure(error: unknown, request: ApiRequest): string {
  const [verb = '', resource = ''] = request.split(' ');
  if (error instanceof CredentialsError) return `${error.message}; ${error.advice}`;
  if (error instanceof ApiError) {
    const words = `${request}: HTTP ${error.status}: ${error.message}`;
    if (error.status === 401) return `${words}; the credentials are refused: renew the token or certificate`;
    if (error.status !== 403) return words;
    return `${words}; it needs ${ruleText(groupOf(resource), resource, verb)} of ${resource === 'configmaps' ? 'docs/node.md' : 'docs/rbac.yaml'}`;
  }
  if (!(error instanceof Error)) return `${request}: ${String(error)}`;
  return `${request}: ${chain(error)}`;
}

function groupOf(resource: string): string {
  return resource === 'leases' ? 'coordination.k8s.io' : '';
}

function ruleText(group: string, resource: string, ...verbs: readonly string[]): string {
  const list = verbs.map((verb) => `"${verb}"`).join(', ');
  return `the rule { apiGroups: ["${group}"], resources: ["${resource}"], verbs: [${list}] }`;
}

/** Describes the failure of a feed and what to do about it, in one line. */
export function feedFailure(error: unknown, resource: Resource): string {
  if (error instanceof CredentialsError) return `${error.message}; ${error.advice}`;
  if (error instanceof ApiError) {
    const advice = adviceOn(error.status, resource);
    return `HTTP ${error.status}: ${error.message}${advice === undefined ? '' : `; ${advice}`}`;
  }
  if (!(error instanceof Error)) return String(error);
  const words = chain(error);
  const advice = isCertificateError(error)
    ? '; compare certificate-authority and server in the kubeconfig with what the API server shows'
    : '';
  return `${words}${advice}`;
}

function adviceOn(status: number, resource: Resource): string | undefined {
  switch (status) {
    case 401:
      return 'the credentials are refused, also after reading them again: renew the token or certificate';
    case 403:
      return `its ClusterRole needs ${rule(resource)}`;
    case 404:
      return `is "server" in the kubeconfig an API server of Kubernetes 1.21 or newer? It does not serve ${resource}`;
    default:
      return undefined;
  }
}

/** The RBAC rule that lets us read a resource, as one line of YAML. */
function rule(resource: Resource): string {
  const group = resource === 'endpointslices' ? 'discovery.k8s.io' : '';
  return ruleText(group, resource, 'list', 'watch');
}

/** The messages of an error and its causes, without repetitions. */
function chain(error: Error): string {
  const words: string[] = [];
  let at: unknown = error;
  while (at instanceof Error) {
    // Node tries every address of a host name and collects the errors.
    const text =
      at instanceof AggregateError && at.message === ''
        ? at.errors
            .map((inner: unknown) => (inner instanceof Error ? inner.message : String(inner)))
            .join(', ')
        : at.message;
    if (text !== '' && !words.some((word) => word.includes(text))) words.push(text);
    at = at.cause;
  }
  return words.join(': ');
}

export function isCertificateError(error: unknown): boolean {
  let at = error;
  while (at instanceof Error) {
    const code = 'code' in at && typeof at.code === 'string' ? at.code : '';
    if (/CERT|ERR_TLS|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER/.test(code)) return true;
    at = at.cause;
  }
  return false;
}

/** Makes an error of a Kubernetes Status, from a response or from an ERROR event of a watch. */
export function errorOf(status: unknown, code = 0, retryAfter?: number): ApiError {
  const fields = typeof status === 'object' && status !== null ? status : {};
  const number = 'code' in fields && typeof fields.code === 'number' ? fields.code : code;
  const message =
    'message' in fields && typeof fields.message === 'string' && fields.message !== ''
      ? fields.message
      : 'the API server gives no reason';
  const details = 'details' in fields ? fields.details : undefined;
  const seconds =
    typeof details === 'object' && details !== null && 'retryAfterSeconds' in details
      ? details.retryAfterSeconds
      : undefined;
  const asked = typeof seconds === 'number' && seconds > 0 ? seconds * 1000 : undefined;
  return new ApiError(number, message, retryAfter ?? asked);
}
