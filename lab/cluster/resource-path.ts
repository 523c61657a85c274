import { kinds, root } from './api/kinds.ts';

/** What names an object, or a collection when it has no name. */
export interface ObjectRef {
  /** `Service` */
  readonly kind: string;
  readonly name?: string;
  /** `default`; ignored for what has no namespace */
  readonly namespace?: string;
}

interface Resource {
  /** `/apis/apps/v1` */
  readonly root: string;
  readonly plural: string;
  readonly namespaced: boolean;
}

/** What the lab uses of Kubernetes; the embedded server has the first few of them. */
const resources: ReadonlyMap<string, Resource> = new Map([
  ...kinds.map((kind): [string, Resource] => [
    kind.kind,
    { root: root(kind), plural: kind.plural, namespaced: kind.scope === 'Namespaced' },
  ]),
  ...namespaced('/apis/apps/v1', 'Deployment', 'ReplicaSet', 'DaemonSet', 'StatefulSet'),
  ...namespaced('/apis/rbac.authorization.k8s.io/v1', 'Role', 'RoleBinding'),
  ...clusterWide('/apis/rbac.authorization.k8s.io/v1', 'ClusterRole', 'ClusterRoleBinding'),
  ...clusterWide('/apis/apiextensions.k8s.io/v1', 'CustomResourceDefinition'),
  ...namespaced('/apis/metallb.io/v1beta1', 'IPAddressPool', 'L2Advertisement'),
  ...clusterWide('/apis/admissionregistration.k8s.io/v1', 'ValidatingWebhookConfiguration'),
  ...clusterWide(
    '/apis/admissionregistration.k8s.io/v1',
    'ValidatingAdmissionPolicy',
    'ValidatingAdmissionPolicyBinding',
  ),
  ...clusterWide('/apis/flowcontrol.apiserver.k8s.io/v1', 'FlowSchema', 'PriorityLevelConfiguration'),
]);

/**
 * The path of an object or of a collection.
 *
 * @param all the objects of every namespace
 */
export function resourcePath({ kind, name, namespace = 'default' }: ObjectRef, all = false): string {
  const resource = resources.get(kind);
  if (resource === undefined) throw new Error(`the lab does not know where the API has ${kind}`);
  const within = resource.namespaced && !all ? `/namespaces/${namespace}` : '';
  return `${resource.root}${within}/${resource.plural}${name === undefined ? '' : `/${name}`}`;
}

function namespaced(root: string, ...names: readonly string[]): readonly [string, Resource][] {
  return names.map((kind) => [kind, { root, plural: pluralOf(kind), namespaced: true }]);
}

function clusterWide(root: string, ...names: readonly string[]): readonly [string, Resource][] {
  return names.map((kind) => [kind, { root, plural: pluralOf(kind), namespaced: false }]);
}

function pluralOf(kind: string): string {
  return `${kind.toLowerCase().replace(/y$/, 'ie')}s`;
}
