import type { JsonObject } from './json.ts';
import { apiVersion, type Kind, kinds, root } from './kinds.ts';

const verbs = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'];
const groups = [...new Set(kinds.map((kind) => kind.group))].filter((group) => group !== '');

/** What a client asks before it asks for objects; undefined: not one of these paths. */
export function discovery(path: string): JsonObject | undefined {
  switch (path) {
    case '/version':
      return {
        major: '1',
        minor: '34',
        gitVersion: 'v1.34.0-eiproute-demo',
        gitCommit: '',
        gitTreeState: 'clean',
        buildDate: '1970-01-01T00:00:00Z',
        goVersion: '',
        compiler: '',
        platform: `${process.platform}/${process.arch}`,
      };
    case '/api':
      return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
    case '/apis':
      return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(group) };
    case '/openapi/v3':
      return {
        paths: Object.fromEntries(
          roots().map((each) => [each.slice(1), { serverRelativeURL: `/openapi/v3${each}?hash=eiproute` }]),
        ),
      };
    default:
      break;
  }
  if (path.startsWith('/openapi/v3/')) return openapi(path.slice('/openapi/v3'.length));
  const name = /^\/apis\/([^/]+)$/.exec(path)?.[1];
  if (name !== undefined && groups.includes(name))
    return { kind: 'APIGroup', apiVersion: 'v1', ...group(name) };
  return roots().includes(path) ? resourceList(path) : undefined;
}

function roots(): string[] {
  return [...new Set(kinds.map(root))];
}

function group(name: string): JsonObject {
  const versions = [...new Set(kinds.filter((kind) => kind.group === name).map((kind) => kind.version))].map(
    (version) => ({ groupVersion: `${name}/${version}`, version }),
  );
  return { name, versions, preferredVersion: versions[0] };
}

function resourceList(path: string): JsonObject {
  const here = kinds.filter((kind) => root(kind) === path);
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: path.replace(/^\/apis?\//, ''),
    resources: here.flatMap((kind) => [
      {
        name: kind.plural,
        singularName: kind.singular,
        namespaced: kind.scope === 'Namespaced',
        kind: kind.kind,
        verbs,
        shortNames: [...kind.short],
      },
      ...(kind.status
        ? [
            {
              name: `${kind.plural}/status`,
              singularName: '',
              namespaced: kind.scope === 'Namespaced',
              kind: kind.kind,
              verbs: ['get', 'patch', 'update'],
            },
          ]
        : []),
    ]),
  };
}

/** As much of OpenAPI as kubectl needs to see that the server checks fields itself. */
function openapi(path: string): JsonObject | undefined {
  const here = kinds.filter((kind) => root(kind) === path);
  if (here.length === 0) return undefined;
  const paths = here.map((kind) => {
    const scope = kind.scope === 'Namespaced' ? '/namespaces/{namespace}' : '';
    const operation = {
      parameters: [{ name: 'fieldValidation', in: 'query', schema: { type: 'string' } }],
      responses: { '200': { description: 'OK' } },
      'x-kubernetes-group-version-kind': gvk(kind),
    };
    return [`${root(kind)}${scope}/${kind.plural}/{name}`, { patch: operation, put: operation }];
  });
  return {
    openapi: '3.0.0',
    info: { title: 'Kubernetes', version: 'v1.34.0' },
    paths: Object.fromEntries(paths),
    components: {
      schemas: Object.fromEntries(
        here.map((kind) => [
          `io.k8s.api.${apiVersion(kind).replace('/', '.')}.${kind.kind}`,
          { type: 'object', 'x-kubernetes-group-version-kind': [gvk(kind)] },
        ]),
      ),
    },
  };
}

function gvk({ group: name, version, kind }: Kind): JsonObject {
  return { group: name, version, kind };
}
