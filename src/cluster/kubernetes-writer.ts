import { hostname } from 'node:os';
import type { LeaseName } from '../model/allocation.ts';
import { cleanupFinalizer, type Service } from '../model/cluster.ts';
import { type ApiRequest, isAdmission, requestTrouble, type Trouble, troubleText } from './failure.ts';
import type { Heartbeat } from './heartbeat.ts';
import type { HttpTransport } from './http.ts';
import { part, text } from './raw.ts';
import type { ClusterStore } from './store.ts';
import { ApiError } from './transport.ts';
import { versionOf } from './versions.ts';
import {
  type Lease,
  type Leases,
  type Outcome,
  RequestError,
  type ServiceEvent,
  type StatusPatch,
  type Writer,
} from './writer.ts';

/** ms; shorter than a Lease, so that a write that began before a Lease was lost ends before another holder has it */
const patience = 5000;
/** Where nothing better can be advised. */
const again = 'it is tried again by itself';

// Only a strategic merge patch merges the lists of finalizers and conditions; others replace them.
const strategic = 'application/strategic-merge-patch+json';
const merge = 'application/merge-patch+json';

/** Writes Services through the API server and applies its answers to the store. */
export class KubernetesWriter implements Writer, Leases {
  readonly #transport: HttpTransport;
  readonly #store: ClusterStore;
  readonly #heartbeat: Pick<Heartbeat, 'ask'>;

  constructor(transport: HttpTransport, store: ClusterStore, heartbeat: Pick<Heartbeat, 'ask'>) {
    this.#transport = transport;
    this.#store = store;
    this.#heartbeat = heartbeat;
  }

  finalizer(service: Service, verb: 'add' | 'remove', signal: AbortSignal): Promise<Outcome> {
    const list = verb === 'add' ? 'finalizers' : '$deleteFromPrimitiveList/finalizers';
    return this.#patch(service, '', { metadata: { [list]: [cleanupFinalizer] } }, 'patch services', signal);
  }

  status(
    service: Service,
    { ingress, conditions, without }: StatusPatch,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const loadBalancer = ingress && {
      // An empty list would be merged and so change nothing; null removes the list.
      loadBalancer: { ingress: ingress.length === 0 ? null : ingress.map((ip) => ({ ip, ipMode: 'VIP' })) },
    };
    const gone = without.map((type) => ({ type, $patch: 'delete' }));
    const status = { ...loadBalancer, conditions: [...conditions, ...gone] };
    return this.#patch(service, '/status', { status }, 'patch services/status', signal);
  }

  async event(service: Service, event: ServiceEvent, signal: AbortSignal): Promise<Outcome> {
    const { namespace, name: of, uid } = service;
    const { name, type, reason, message, count, first, last } = event;
    const path = `/api/v1/namespaces/${namespace}/events`;
    if (count > 1) {
      const body = { count, lastTimestamp: last };
      return this.#write('PATCH', `${path}/${name}`, merge, body, 'patch events', signal);
    }
    const body = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name, namespace },
      involvedObject: { apiVersion: 'v1', kind: 'Service', namespace, name: of, uid },
      type,
      reason,
      message,
      count,
      firstTimestamp: first,
      lastTimestamp: last,
      source: { component: 'eiproute', host: hostname() },
      reportingComponent: 'eiproute.io/gateway',
      reportingInstance: hostname(),
    };
    return this.#write('POST', path, 'application/json', body, 'create events', signal);
  }

  async read(name: LeaseName, signal: AbortSignal): Promise<{ lease: Lease; version: string }> {
    try {
      const raw = await this.#transport.send('GET', leasePath(name), undefined, undefined, within(signal));
      return { lease: leaseOf(raw), version: versionOf(raw) ?? '' };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof ApiError && error.status === 404) {
        throw new RequestError(
          `there is no Lease ${name.namespace}/${name.name}`,
          'create it with docs/rbac.yaml (eiproute never does)',
          true,
          { cause: error },
        );
      }
      const { message, advice = again } = await this.#trouble(error, 'get leases', signal);
      throw new RequestError(message, advice, error instanceof ApiError, { cause: error });
    }
  }

  write(name: LeaseName, lease: Lease, version: string, signal: AbortSignal): Promise<Outcome> {
    const body = {
      metadata: { resourceVersion: version },
      spec: {
        holderIdentity: lease.holder ?? null,
        leaseDurationSeconds: lease.duration,
        acquireTime: lease.acquired ?? null,
        renewTime: lease.renewed ?? null,
        leaseTransitions: lease.transitions,
      },
    };
    return this.#write('PATCH', leasePath(name), merge, body, 'patch leases', signal);
  }

  async #patch(
    service: Service,
    subresource: '' | '/status',
    body: { readonly metadata?: object; readonly status?: object },
    request: ApiRequest,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const resourceVersion = this.#store.version(service);
    if (resourceVersion === undefined) return { kind: 'stale' };
    const { namespace, name, uid } = service;
    const metadata = { ...body.metadata, resourceVersion, ...(uid === '' ? {} : { uid }) };
    const path = `/api/v1/namespaces/${namespace}/services/${name}${subresource}`;
    const patched = (answer: unknown): void => this.#store.answer(answer, resourceVersion);
    return this.#write('PATCH', path, strategic, { ...body, metadata }, request, signal, patched);
  }

  async #write(
    method: 'PATCH' | 'POST',
    path: string,
    type: string,
    body: object,
    request: ApiRequest,
    signal: AbortSignal,
    answered: (answer: unknown) => void = () => {},
  ): Promise<Outcome> {
    try {
      answered(await this.#transport.send(method, path, type, body, within(signal)));
      return { kind: 'done' };
    } catch (error) {
      signal.throwIfAborted();
      // Programming errors are not API errors.
      if (error instanceof TypeError || error instanceof ReferenceError) throw error;
      const status = error instanceof ApiError ? error.status : 0;
      if (status === 409) return { kind: 'stale' };
      if (status === 404) return { kind: 'gone' };
      const wait = error instanceof ApiError ? error.retryAfter : undefined;
      const everything = status !== 400 && status !== 422 && status !== 413 && !isAdmission(error);
      const message = troubleText(await this.#trouble(error, request, signal));
      return { kind: 'refused', message, answered: error instanceof ApiError, everything, wait };
    }
  }

  async #trouble(error: unknown, request: ApiRequest, signal: AbortSignal): Promise<Trouble> {
    const isRefused = error instanceof ApiError && error.status === 403 && !isAdmission(error);
    return requestTrouble(error, request, isRefused ? await this.#heartbeat.ask(signal) : 'ready');
  }
}

function within(signal: AbortSignal): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(patience)]);
}

function leasePath({ namespace, name }: LeaseName): string {
  return `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/${name}`;
}

function leaseOf(raw: unknown): Lease {
  const fields: { readonly [name: string]: unknown } = { ...part(part(raw).spec) };
  const { holderIdentity, leaseDurationSeconds, acquireTime, renewTime, leaseTransitions } = fields;
  return {
    holder: text(holderIdentity),
    duration: whole(leaseDurationSeconds) ?? 15,
    acquired: text(acquireTime),
    renewed: text(renewTime),
    transitions: whole(leaseTransitions) ?? 0,
  };
}

function whole(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined;
}
