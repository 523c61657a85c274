import { randomBytes } from 'node:crypto';
import { isIP } from 'node:net';
import type { Defaults } from './defaults.ts';
import type { Exchange } from './exchange.ts';
import { Failure } from './failure.ts';
import { at, clean, isObject, type Json, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import { apiVersion, type Kind, kinds, root } from './kinds.ts';
import { type Listing, missing, nameOf, namespaceOf, type Objects } from './objects.ts';
import { jsonPatch, mergePatch, strategicPatch } from './patch.ts';
import { selector } from './selector.ts';
import { table } from './table.ts';

/** What a path names. */
export interface Target {
  readonly kind: Kind;
  /** Empty: all of them, or a kind without namespaces. */
  readonly namespace: string;
  /** Empty: the collection. */
  readonly name: string;
  readonly subresource: string;
}

export function targetOf(path: string): Target | undefined {
  const kind = kinds.find((each) => {
    const rest = path.startsWith(`${root(each)}/`) ? path.slice(root(each).length + 1) : '';
    const steps = rest.split('/');
    const [first, , third] = steps;
    return first === 'namespaces' && third !== undefined && third !== 'status'
      ? third === each.plural
      : first === each.plural;
  });
  if (kind === undefined) return undefined;
  const steps = path
    .slice(root(kind).length + 1)
    .split('/')
    .map(decodeURIComponent);
  const inside = steps[0] === 'namespaces' && kind.plural !== 'namespaces';
  const [, name = '', subresource = ''] = inside ? steps.slice(2) : steps;
  return { kind, namespace: inside ? (steps[1] ?? '') : '', name, subresource };
}

/** The verbs of the API on the objects of one kind. */
export class Resources {
  readonly #objects: Objects;
  readonly #defaults: Defaults;

  constructor(objects: Objects, defaults: Defaults) {
    this.#objects = objects;
    this.#defaults = defaults;
  }

  list({ kind, namespace }: Target, exchange: Exchange): JsonObject {
    const { query, wantsTable } = exchange;
    const limit = Number(query.get('limit') ?? 0);
    const token = query.get('continue');
    const [id, start] = token === null ? [undefined, 0] : readToken(token);
    const listing = id === undefined ? this.#select(kind, namespace, query) : this.#objects.kept(id);
    const { items } = listing;
    const end = limit > 0 ? start + limit : items.length;
    const more = items.length > end;
    if (!more && id !== undefined) this.#objects.release(id);
    const metadata = clean({
      resourceVersion: String(listing.version),
      continue: more ? writeToken(id ?? this.#objects.keep(listing), end) : undefined,
      remainingItemCount: more ? items.length - end : undefined,
    });
    const page = items.slice(start, end);
    if (wantsTable) return table(kind, page, metadata);
    return { kind: `${kind.kind}List`, apiVersion: apiVersion(kind), metadata, items: page };
  }

  #select(kind: Kind, namespace: string, query: URLSearchParams): Listing {
    const { items, version } = this.#objects.list(kind, namespace);
    return { items: items.filter(selector(query)), version };
  }

  get({ kind, namespace, name }: Target, exchange: Exchange): JsonObject {
    const object = this.#objects.get(kind, namespace, name);
    return exchange.wantsTable ? table(kind, [object], {}) : object;
  }

  create({ kind, namespace }: Target, body: Json): JsonObject {
    if (!isObject(body)) throw new Failure(400, 'the body is no object');
    const metadata = objectAt(body, 'metadata');
    const prefix = textAt(metadata, 'generateName');
    const name =
      nameOf(body) || (prefix === '' ? '' : `${prefix}${randomBytes(3).toString('hex').slice(0, 5)}`);
    const home = kind.scope === 'Cluster' ? undefined : namespace || namespaceOf(body) || 'default';
    if (home !== undefined) this.#checkNamespace(home);
    const object = { ...body, metadata: clean({ ...metadata, name, namespace: home }) };
    // A Service is born without a status; a Node brings its own.
    const fresh = kind.kind === 'Service' ? clean({ ...object, status: undefined }) : object;
    return this.#objects.create(kind, this.#defaults.complete(kind, fresh));
  }

  update(target: Target, body: Json): JsonObject {
    if (!isObject(body)) throw new Failure(400, 'the body is no object');
    const before = this.#objects.get(target.kind, target.namespace, target.name);
    return this.#write(target, before, body);
  }

  async patch(target: Target, exchange: Exchange): Promise<JsonObject> {
    const { kind, namespace, name } = target;
    const body = await exchange.body();
    const type = exchange.header('content-type').split(';')[0];
    const applied = type === 'application/apply-patch+yaml';
    if (applied && !this.#objects.has(kind, namespace, name)) {
      if (!isObject(body)) throw new Failure(400, 'the body is no object');
      return this.create(target, { ...body, metadata: { ...objectAt(body, 'metadata'), name } });
    }
    const before = this.#objects.get(kind, namespace, name);
    let after: Json;
    if (type === 'application/json-patch+json') after = jsonPatch(before, body);
    else if (type === 'application/merge-patch+json') after = mergePatch(before, body);
    else if (applied || type === 'application/strategic-merge-patch+json')
      after = strategicPatch(before, body);
    else throw new Failure(415, `a patch of the type ${type} is not known here`);
    if (!isObject(after)) throw new Failure(422, 'the patch leaves no object');
    return this.#write(target, before, after);
  }

  delete({ kind, namespace, name }: Target, options: Json): JsonObject {
    const object = this.#objects.get(kind, namespace, name);
    for (const field of ['uid', 'resourceVersion']) {
      const wanted = textAt(options, 'preconditions', field);
      const found = textAt(object, 'metadata', field);
      if (wanted !== '' && wanted !== found) {
        throw new Failure(409, `the ${field} in the precondition is ${wanted}, but the object has ${found}`);
      }
    }
    const gone = this.#objects.delete(kind, namespace, name);
    if (kind.kind === 'Namespace') this.#empty(name);
    if (at(gone, 'metadata', 'deletionTimestamp') !== undefined) return gone;
    const details = { name, kind: kind.plural, uid: textAt(object, 'metadata', 'uid') };
    return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details };
  }

  #write({ kind, name, namespace, subresource }: Target, before: JsonObject, wanted: JsonObject): JsonObject {
    const uid = textAt(wanted, 'metadata', 'uid');
    if (uid !== '' && uid !== textAt(before, 'metadata', 'uid')) {
      throw new Failure(409, `${kind.plural} "${name}": the uid ${uid} is that of another object`);
    }
    const metadata = clean({
      ...objectAt(wanted, 'metadata'),
      name,
      namespace: kind.scope === 'Cluster' ? undefined : namespace,
    });
    if (subresource === 'status') {
      const given = objectAt(wanted, 'status');
      const status = kind.kind === 'Service' ? serviceStatus(name, given) : given;
      return this.#objects.update(kind, { ...before, metadata, status });
    }
    const status = kind.status ? at(before, 'status') : at(wanted, 'status');
    const object = clean({ ...wanted, apiVersion: apiVersion(kind), kind: kind.kind, metadata, status });
    return this.#objects.update(kind, this.#defaults.complete(kind, object));
  }

  #checkNamespace(name: string): void {
    const namespaces = kinds.find((kind) => kind.kind === 'Namespace');
    if (namespaces !== undefined && !this.#objects.has(namespaces, '', name)) throw missing(namespaces, name);
  }

  #empty(namespace: string): void {
    for (const kind of kinds) {
      if (kind.scope === 'Cluster') continue;
      for (const object of this.#objects.list(kind, namespace).items) {
        this.#objects.delete(kind, namespace, nameOf(object));
      }
    }
  }
}

/**
 * The status of a Service as an API server stores it.
 *
 * @throws Failure 422 what is no address
 */
function serviceStatus(name: string, status: JsonObject): JsonObject {
  const ingress = listAt(status, 'loadBalancer', 'ingress').map((item, i) => {
    const ip = textAt(item, 'ip');
    if (ip === '') return item;
    if (isIP(ip) === 0) {
      const field = `status.loadBalancer.ingress[${i}].ip`;
      throw new Failure(
        422,
        `Service "${name}" is invalid: ${field}: Invalid value: "${ip}": must be a valid IP address`,
      );
    }
    return { ipMode: 'VIP', ...objectAt(item) };
  });
  return ingress.length === 0 ? status : { ...status, loadBalancer: { ingress } };
}

function writeToken(id: string, start: number): string {
  return Buffer.from(`${id} ${start}`).toString('base64url');
}

function readToken(token: string): [id: string, start: number] {
  const [id, start] = Buffer.from(token, 'base64url').toString('utf8').split(' ');
  if (id === undefined || start === undefined) throw new Failure(400, 'continue key is not valid');
  return [id, Number(start)];
}
