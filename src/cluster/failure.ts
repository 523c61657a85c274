import type { ObjectName, Resource } from '../model/cluster.ts';
import type { Readiness } from './heartbeat.ts';
import { ApiError, CredentialsError, ProtocolError, UnreachableError } from './transport.ts';

/** A request other than list and watch: verb and resource, as in RBAC rules. */
export type ApiRequest =
  | 'patch services'
  | 'patch services/status'
  | 'get configmaps'
  | 'patch configmaps'
  | 'get nodes'
  | 'patch nodes'
  | 'create events'
  | 'patch events'
  | 'get leases'
  | 'patch leases';

/** What is wrong, and what to do about it; one line each. */
export interface Trouble {
  readonly message: string;
  readonly advice: string | undefined;
}

/** Both in one line. */
export function troubleText({ message, advice }: Trouble): string {
  return advice === undefined ? message : `${message}; ${advice}`;
}

/** @param readiness of the server, asked after a 403 */
export function requestTrouble(error: unknown, request: ApiRequest, readiness: Readiness): Trouble {
  const [verb = '', resource = ''] = request.split(' ');
  const group = resource === 'leases' ? 'coordination.k8s.io' : '';
  const page = request === 'get configmaps' ? 'docs/node.md' : 'docs/rbac.yaml';
  const rule = `it needs ${ruleText(group, resource, verb)} of ${page}`;
  if (error instanceof ApiError) {
    const message = `${request}: HTTP ${error.status}: ${error.message}`;
    const advice = isAdmission(error) ? admissionAdvice : answerAdvice(error.status, rule, readiness);
    return { message, advice };
  }
  const { message, advice } = networkTrouble(error);
  return { message: error instanceof CredentialsError ? message : `${request}: ${message}`, advice };
}

/**
 * Describes the failure of a feed and what to do about it, in one line.
 *
 * @param readiness of the server, asked after a 403
 */
export function feedFailure(error: unknown, resource: Resource, readiness: Readiness): string {
  if (!(error instanceof ApiError)) return troubleText(networkTrouble(error));
  const advice =
    error.status === 404
      ? `is "server" in the kubeconfig an API server of Kubernetes 1.21 or newer? It does not serve ${resource}`
      : answerAdvice(error.status, `its ClusterRole needs ${feedRule(resource)}`, readiness);
  return troubleText({ message: `HTTP ${error.status}: ${error.message}`, advice });
}

/**
 * Why a ConfigMap cannot be read, and what to do about it.
 *
 * @param readiness of the server, asked after a 403
 */
export function configMapTrouble(
  error: unknown,
  { namespace, name }: ObjectName,
  readiness: Readiness,
): Trouble {
  if (!(error instanceof ApiError)) return networkTrouble(error);
  const rule = `the rule { apiGroups: [""], resources: ["configmaps"], resourceNames: ["${name}"], verbs: ["list", "watch"] }`;
  return {
    message: `HTTP ${error.status}: ${error.message}`,
    advice: answerAdvice(error.status, `its Role in ${namespace} needs ${rule}`, readiness),
  };
}

const admissionAdvice =
  'our rights are in order: look for the webhook, policy or quota that forbids this one write; in a namespace that ends none is allowed';

/**
 * Whether a 403 is about one object, and not about our rights: webhooks answer with it (those made with
 * controller-runtime all do), quotas, and a namespace that ends. Only the text tells them from an authorizer, which
 * begins with who cannot do what.
 */
export function isAdmission(error: unknown): boolean {
  if (!(error instanceof ApiError) || error.status !== 403) return false;
  const { message } = error;
  if (message.startsWith('admission webhook "')) return true;
  return message.includes(' is forbidden: ') && !message.includes(' is forbidden: User "');
}

/** @param rule what a 403 of a server that is ready asks for */
function answerAdvice(status: number, rule: string, readiness: Readiness): string | undefined {
  switch (status) {
    case 401:
      return 'the credentials are refused, also after reading them again: renew the token or certificate';
    case 403:
      return readiness === 'ready'
        ? rule
        : 'the API server is starting (its /readyz is not ok), and refuses everybody until it has read its roles: wait';
    case 429:
      return 'the API server has too much to do: it is asked again when it says so';
    case 500:
    case 503:
      return 'look at the API server and its etcd: kubectl get --raw "/readyz?verbose"';
    default:
      return undefined;
  }
}

/** A connection that could not be made or broke, credentials, certificates, and answers that make no sense. */
function networkTrouble(error: unknown): Trouble {
  if (error instanceof CredentialsError) return error;
  if (!(error instanceof Error)) return { message: String(error), advice: undefined };
  if (isCertificateError(error)) {
    const who =
      error instanceof UnreachableError
        ? `the Kubernetes API at ${new URL(error.server).host} (server in ${error.from}) is not trusted: `
        : '';
    const { why, advice } = certificateWords(error);
    return { message: `${who}${why}`, advice };
  }
  if (error instanceof ProtocolError) {
    const advice = 'look for a proxy between this host and the API server that cuts or changes its answers';
    return { message: chain(error), advice };
  }
  if (!(error instanceof UnreachableError)) return { message: chain(error), advice: undefined };
  const { server, from } = error;
  const { hostname, host } = new URL(server);
  const address = hostname.replace(/^\[|\]$/g, '');
  const { why, check } = socketWords(error, address);
  return {
    message: `cannot reach the Kubernetes API at ${host} (server in ${from}): ${why}`,
    advice: `check: ${[...check, `curl -k ${server}/livez`].join('; ')}`,
  };
}

/** What a certificate lacks that is not believed. A clock that is wrong makes a good one look so. */
function certificateWords(error: Error): { readonly why: string; readonly advice: string } {
  const code = codeOf(error);
  switch (code) {
    case 'CERT_NOT_YET_VALID':
      return {
        why: `its certificate is not valid yet, by the clock of this host (${code})`,
        advice: 'see whether the clock is right, and let it follow NTP: timedatectl',
      };
    case 'CERT_HAS_EXPIRED':
      return {
        why: `its certificate has ended, by the clock of this host (${code})`,
        advice:
          'see whether the clock is right: timedatectl; if it is, renew the certificate of the API server',
      };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        why: `its certificate is for other names: ${chain(error)}`,
        advice: 'write one of them into the kubeconfig, in server or as tls-server-name',
      };
    default:
      return {
        why: chain(error),
        advice: 'compare certificate-authority and server in the kubeconfig with what the API server shows',
      };
  }
}

interface SocketWords {
  readonly why: string;
  /** Commands that show more. */
  readonly check: readonly string[];
}

/** What the error of a socket means. */
function socketWords(error: Error, address: string): SocketWords {
  const code = codeOf(error);
  const route = `ip route get ${address}`;
  const name = `getent ahosts ${address}`;
  switch (code) {
    case 'ECONNREFUSED':
      return { why: `connection refused (${code}): the host answers, and nothing listens there`, check: [] };
    case 'EHOSTUNREACH':
      return {
        why: `no route to host (${code}): it does not answer ARP or NDP, or a router says so`,
        check: [route],
      };
    case 'ENETUNREACH':
      return { why: `network unreachable (${code}): this host has no route there`, check: [route] };
    case 'ETIMEDOUT':
    case 'UND_ERR_CONNECT_TIMEOUT':
    // Of a proxy that is asked to CONNECT; nothing else has this limit.
    case 'UND_ERR_HEADERS_TIMEOUT':
      return { why: `no answer in time (${code}): packets are lost or dropped on the way`, check: [route] };
    case 'ECONNRESET':
    case 'EPIPE':
    case 'UND_ERR_SOCKET':
      return { why: `the connection was cut (${code})`, check: [] };
    case 'EAI_AGAIN':
      return { why: `its name cannot be resolved now (${code}): no DNS server answers`, check: [name] };
    case 'ENOTFOUND':
      return { why: `its name does not exist (${code})`, check: [name] };
    case 'EACCES':
    case 'EPERM':
      return {
        why: `this host does not let us (${code}): a local firewall or sandbox`,
        check: ['nft list ruleset'],
      };
    default:
      return { why: chain(error.cause instanceof Error ? error.cause : error), check: [route] };
  }
}

/** The first code of an error and its causes; Node tries every address of a name and collects the errors. */
function codeOf(error: unknown): string | undefined {
  let at = error;
  while (at instanceof Error) {
    if ('code' in at && typeof at.code === 'string') return at.code;
    at = at instanceof AggregateError ? at.errors[0] : at.cause;
  }
  return undefined;
}

function ruleText(group: string, resource: string, ...verbs: readonly string[]): string {
  const list = verbs.map((verb) => `"${verb}"`).join(', ');
  return `the rule { apiGroups: ["${group}"], resources: ["${resource}"], verbs: [${list}] }`;
}

/** The RBAC rule that lets us read a resource, as one line of YAML. */
function feedRule(resource: Resource): string {
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

/**
 * ms; a server or proxy that asks for more is asked again all the same: a maintenance page says hours, and timers of Node
 * do not wait at all beyond 2^31 ms.
 */
const longestAsked = 60_000;

/**
 * Makes an error of a Kubernetes Status, from a response or from an ERROR event of a watch.
 *
 * @param retryAfter ms; 0 or less says nothing, as a date that is over: who asks again waits as after any failure
 */
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
  const asked = retryAfter ?? (typeof seconds === 'number' ? seconds * 1000 : 0);
  return new ApiError(number, message, asked > 0 ? Math.min(asked, longestAsked) : undefined);
}
