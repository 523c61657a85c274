import type { Allocation } from '../model/allocation.ts';

/** Something that a gateway does in the cluster, as RBAC names it. */
export interface Right {
  readonly verb: string;
  /** Empty: the core group. */
  readonly group: string;
  readonly resource: string;
  readonly subresource?: string;
  /** undefined: in all namespaces */
  readonly namespace?: string;
  readonly name?: string;
}

/** What docs/rbac.yaml grants, as far as this configuration uses it. */
export function neededRights(allocation: Allocation | undefined): readonly Right[] {
  const core = { group: '' };
  const reading = (['list', 'watch'] as const).flatMap((verb): readonly Right[] => [
    { ...core, verb, resource: 'services' },
    { ...core, verb, resource: 'nodes' },
    { verb, group: 'discovery.k8s.io', resource: 'endpointslices' },
  ]);
  if (allocation === undefined) return reading;
  const { finalizer, lease } = allocation;
  const leases = { group: 'coordination.k8s.io', resource: 'leases', ...lease };
  return [
    ...reading,
    { ...core, verb: 'patch', resource: 'services', subresource: 'status' },
    ...(finalizer ? [{ ...core, verb: 'patch', resource: 'services' }] : []),
    { ...core, verb: 'create', resource: 'events' },
    { ...core, verb: 'patch', resource: 'events' },
    ...(lease === undefined ? [] : ['get', 'patch'].map((verb) => ({ ...leases, verb }))),
  ];
}

/** `patch services/status`, `get leases.coordination.k8s.io kube-system/eiproute` */
export function rightText({ verb, group, resource, subresource, namespace, name }: Right): string {
  const what = `${resource}${group === '' ? '' : `.${group}`}${subresource === undefined ? '' : `/${subresource}`}`;
  return [verb, what, ...(name === undefined ? [] : [`${namespace}/${name}`])].join(' ');
}
