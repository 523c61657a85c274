import { parseAllDocuments } from 'yaml';
import { isList, isObject, type Json, type JsonObject, listAt, textAt } from './json.ts';

/** One request, as RBAC looks at it. */
export interface Asked {
  readonly verb: string;
  /** Empty: the core group. */
  readonly group: string;
  /** `services/status` */
  readonly resource: string;
  /** Empty: all of them, or none has any. */
  readonly namespace: string;
  /** Empty: a collection, or a new object. */
  readonly name: string;
}

/** Where SelfSubjectAccessReviews are sent. */
export const reviews = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

/** What a SelfSubjectAccessReview asks about. */
export function reviewed(review: JsonObject): Asked {
  const of = (field: string): string => textAt(review, 'spec', 'resourceAttributes', field);
  const [resource, subresource] = [of('resource'), of('subresource')];
  return {
    verb: of('verb'),
    group: of('group'),
    resource: subresource === '' ? resource : `${resource}/${subresource}`,
    namespace: of('namespace'),
    name: of('name'),
  };
}

/** Whether somebody may do it. */
export type Rules = (asked: Asked) => boolean;

export const adminRules: Rules = () => true;

/**
 * What the ClusterRoles and Roles of a manifest allow together, as if all of them were bound to one user: a Role
 * in its own namespace, a ClusterRole everywhere.
 *
 * @param manifest YAML documents
 */
export function rulesOf(manifest: string): Rules {
  const roles = parseAllDocuments(manifest).map((document): Json => document.toJS());
  const grants = roles.filter(isObject).flatMap((role) => {
    const kind = textAt(role, 'kind');
    if (kind !== 'ClusterRole' && kind !== 'Role') return [];
    const home = kind === 'Role' ? textAt(role, 'metadata', 'namespace') : undefined;
    return listAt(role, 'rules')
      .filter(isObject)
      .map((rule) => ({ home, rule }));
  });
  return (asked) =>
    grants.some(({ home, rule }) => (home === undefined || home === asked.namespace) && allows(rule, asked));
}

function allows(rule: JsonObject, { verb, group, resource, name }: Asked): boolean {
  const { resourceNames: names } = rule;
  return (
    listAt(rule, 'verbs').includes(verb) &&
    listAt(rule, 'apiGroups').includes(group) &&
    listAt(rule, 'resources').includes(resource) &&
    (!isList(names) || names.includes(name))
  );
}
