/** One kind of object that the server holds. */
export interface Kind {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly short: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  /** Has a status subresource: the object itself can not be used to write the status, and the other way round. */
  readonly status: boolean;
}

function core(kind: string, short: readonly string[], scope: Kind['scope'], status: boolean): Kind {
  const singular = kind.toLowerCase();
  const plural = singular.endsWith('s') ? singular : `${singular}s`;
  return { group: '', version: 'v1', kind, plural, singular, short, scope, status };
}

export const kinds: readonly Kind[] = [
  core('Namespace', ['ns'], 'Cluster', true),
  core('Node', ['no'], 'Cluster', true),
  core('Service', ['svc'], 'Namespaced', true),
  core('Endpoints', ['ep'], 'Namespaced', false),
  core('Pod', ['po'], 'Namespaced', true),
  core('Event', ['ev'], 'Namespaced', false),
  core('ConfigMap', ['cm'], 'Namespaced', false),
  core('Secret', [], 'Namespaced', false),
  core('ServiceAccount', ['sa'], 'Namespaced', false),
  {
    ...core('EndpointSlice', [], 'Namespaced', false),
    group: 'discovery.k8s.io',
  },
  {
    ...core('Lease', [], 'Namespaced', false),
    group: 'coordination.k8s.io',
  },
];

/** `v1`, `discovery.k8s.io/v1` */
export function apiVersion({ group, version }: Kind): string {
  return group === '' ? version : `${group}/${version}`;
}

/** `/api/v1`, `/apis/discovery.k8s.io/v1` */
export function root({ group, version }: Kind): string {
  return group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
}
