import { Agent, request } from 'undici';
import { parseAllDocuments } from 'yaml';
import { waitFor } from '../process/wait.ts';
import { isObject, type Json, type JsonObject, listAt, objectAt, textAt } from './api/json.ts';
import { type ObjectRef, resourcePath } from './resource-path.ts';

/** What the API refused, and why. */
export class ApiRefusal extends Error {
  override readonly name = 'ApiRefusal';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface ApiAccess {
  /** `https://127.0.0.1:34567` */
  readonly url: string;
  /** The certificate that signed the server's; PEM. */
  readonly authority: string;
  readonly token: string;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: JsonObject;
}

export interface DeleteOptions {
  /** 0: at once. Absent: as the object has it; without kubelets a Pod then stays terminating. */
  readonly graceSeconds?: number;
}

const content = { json: 'application/json', merge: 'application/merge-patch+json' };

/** The API of a lab's cluster, as its administrator uses it. */
export class ApiClient implements AsyncDisposable {
  readonly #access: ApiAccess;
  readonly #agent: Agent;

  constructor(access: ApiAccess) {
    this.#access = access;
    // A watch may be silent for as long as it likes.
    this.#agent = new Agent({
      connect: { ca: access.authority },
      connections: 32,
      bodyTimeout: 0,
      allowH2: false,
    });
  }

  /** @throws ApiRefusal */
  get(ref: ObjectRef): Promise<JsonObject> {
    return this.send('GET', resourcePath(ref));
  }

  /** undefined: the API has no such object. */
  async find(ref: ObjectRef): Promise<JsonObject | undefined> {
    try {
      return await this.get(ref);
    } catch (error) {
      if (error instanceof ApiRefusal && error.status === 404) return undefined;
      throw error;
    }
  }

  /**
   * The objects of a kind, in all namespaces.
   *
   * @param selector of labels: `app=web`
   */
  async list(kind: string, selector = ''): Promise<readonly JsonObject[]> {
    const query = selector === '' ? '' : `?${new URLSearchParams({ labelSelector: selector })}`;
    const list = await this.send('GET', `${resourcePath({ kind }, true)}${query}`);
    return itemsOf(list);
  }

  create(object: JsonObject): Promise<JsonObject> {
    const { kind, namespace } = refOf(object);
    return this.send('POST', resourcePath(namespace === undefined ? { kind } : { kind, namespace }), object);
  }

  /** @param subresource `status` */
  patch(ref: ObjectRef, patch: JsonObject, subresource?: string): Promise<JsonObject> {
    const path = `${resourcePath(ref)}${subresource === undefined ? '' : `/${subresource}`}`;
    return this.send('PATCH', path, patch, content.merge);
  }

  /** It may be gone already. */
  async delete(ref: ObjectRef, { graceSeconds }: DeleteOptions = {}): Promise<void> {
    const query = graceSeconds === undefined ? '' : `?gracePeriodSeconds=${graceSeconds}`;
    try {
      await this.send('DELETE', `${resourcePath(ref)}${query}`);
    } catch (error) {
      if (!(error instanceof ApiRefusal) || error.status !== 404) throw error;
    }
  }

  /** Creates every object of a manifest; what is there already is patched. */
  async apply(manifest: string): Promise<void> {
    for (const document of parseAllDocuments(manifest)) {
      const object: Json = document.toJS();
      if (!isObject(object)) continue;
      const ref = refOf(object);
      if ((await this.find(ref)) === undefined) await this.create(object);
      else await this.patch(ref, object);
    }
  }

  /** The same for a kind that the API has only just been told of: it takes a moment until it serves it. */
  async applied(manifest: string, signal: AbortSignal): Promise<void> {
    const tries = async (): Promise<true> => {
      await this.apply(manifest);
      return true;
    };
    await waitFor('the API serves a new kind', tries, signal);
  }

  /** A token of a service account that ends after so many seconds; 600 is the least that Kubernetes gives. */
  async token(namespace: string, account: string, seconds: number): Promise<string> {
    const path = resourcePath({ kind: 'ServiceAccount', namespace, name: account });
    const answer = await this.send('POST', `${path}/token`, {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      spec: { expirationSeconds: seconds },
    });
    return textAt(answer, 'status', 'token');
  }

  /** The objects of a kind in all namespaces, and the version to watch from. */
  async snapshot(
    kind: string,
    signal: AbortSignal,
  ): Promise<{ readonly items: readonly JsonObject[]; readonly version: string }> {
    const list = await this.send('GET', resourcePath({ kind }, true), undefined, undefined, signal);
    return { items: itemsOf(list), version: textAt(list, 'metadata', 'resourceVersion') };
  }

  /** @throws ApiRefusal at once, or the error that broke the connection */
  async *watch(kind: string, version: string, signal: AbortSignal): AsyncIterable<WatchEvent> {
    const query = new URLSearchParams({ watch: 'true', resourceVersion: version });
    const answer = await request(`${this.#access.url}${resourcePath({ kind }, true)}?${query}`, {
      dispatcher: this.#agent,
      headers: this.#headers(),
      signal,
    });
    if (answer.statusCode !== 200) throw refusal(answer.statusCode, await answer.body.text());
    let rest = '';
    for await (const chunk of answer.body.setEncoding('utf8')) {
      const lines = `${rest}${chunk}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) yield JSON.parse(line);
    }
  }

  /** What a path outside the objects says: `/readyz`. @throws ApiRefusal */
  async text(path: string, signal: AbortSignal): Promise<string> {
    const answer = await request(`${this.#access.url}${path}`, {
      dispatcher: this.#agent,
      headers: this.#headers(),
      signal,
    });
    const text = await answer.body.text();
    if (answer.statusCode !== 200) throw refusal(answer.statusCode, text);
    return text;
  }

  /**
   * Sends any request.
   *
   * @throws ApiRefusal
   */
  async send(
    method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE',
    path: string,
    body?: JsonObject,
    type: string = content.json,
    signal?: AbortSignal,
  ): Promise<JsonObject> {
    const answer = await request(`${this.#access.url}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { ...this.#headers(), ...(body === undefined ? {} : { 'content-type': type }) },
      body: body === undefined ? null : JSON.stringify(body),
      ...(signal && { signal }),
    });
    const text = await answer.body.text();
    if (answer.statusCode >= 300) throw refusal(answer.statusCode, text);
    const parsed: Json = JSON.parse(text);
    return isObject(parsed) ? parsed : {};
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent.destroy();
  }

  #headers(): Record<string, string> {
    return { authorization: `Bearer ${this.#access.token}`, accept: content.json };
  }
}

/** What names this object. */
function refOf(object: JsonObject): ObjectRef {
  const namespace = textAt(object, 'metadata', 'namespace');
  return {
    kind: textAt(object, 'kind'),
    name: textAt(object, 'metadata', 'name'),
    ...(namespace === '' ? {} : { namespace }),
  };
}

/** A list of the API leaves out the kind of its items. */
function itemsOf(list: JsonObject): readonly JsonObject[] {
  const kind = textAt(list, 'kind').replace(/List$/, '');
  const apiVersion = textAt(list, 'apiVersion');
  return listAt(list, 'items').map((item) => ({ apiVersion, kind, ...objectAt(item) }));
}

function refusal(status: number, text: string): ApiRefusal {
  return new ApiRefusal(status, `${status} ${messageOf(text)}`);
}

function messageOf(text: string): string {
  try {
    return textAt(JSON.parse(text), 'message');
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text.trim().slice(0, 200);
  }
}
