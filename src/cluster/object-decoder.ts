import { qualified } from '../model/cluster.ts';
import { bits, compareIp, family, type Ip, networkOf, type Prefix, parseIp } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { exact, none, part, type Raw, text } from './raw.ts';
import { StringPool } from './string-pool.ts';

/** Names of Nodes, namespaces and ports. */
export const names = new StringPool();

/**
 * The fields we use of an API object.
 *
 * `key` is `namespace/name`, or `name` for a Node, with the name of the cluster before it; undefined when it is missing. `object` is undefined when the API
 * object cannot be used at all. `problems` gives the reason, or the parts that were left out.
 */
export interface Decoded<T> {
  readonly key: string | undefined;
  readonly object: T | undefined;
  readonly problems: readonly Problem[];
}

export type Decode<T> = (raw: unknown) => Decoded<T>;

/** Reads one API object and collects its problems. */
export class ObjectDecoder {
  readonly kind: string;
  /** undefined: there is one cluster, without a name */
  readonly cluster: string | undefined;
  readonly key: string | undefined;
  readonly namespace: string;
  readonly name: string;
  readonly metadata: Raw;
  readonly spec: Raw;
  readonly status: Raw;
  readonly raw: Raw;
  #problems: Problem[] | undefined;

  constructor(kind: 'Node' | 'Service' | 'EndpointSlice', raw: unknown, cluster: string | undefined) {
    this.kind = kind;
    this.cluster = cluster;
    this.raw = part(raw);
    this.metadata = part(this.raw.metadata);
    this.spec = part(this.raw.spec);
    this.status = part(this.raw.status);
    this.name = text(this.metadata.name) ?? '';
    this.namespace = names.of(text(this.metadata.namespace) ?? '');
    if (this.name === '') this.key = undefined;
    else if (kind === 'Node') this.key = this.nodeName(this.name);
    else this.key = this.namespace === '' ? undefined : this.inNamespace(this.name);
  }

  /** The key of an object in the namespace of this one. */
  inNamespace(name: string): string {
    return qualified(this.cluster, [this.namespace, name].join('/'));
  }

  nodeName(name: string): string {
    return names.of(qualified(this.cluster, name));
  }

  /** The field of a Node or Service that names its cluster. */
  get origin(): { readonly cluster?: string } {
    return this.cluster === undefined ? {} : { cluster: this.cluster };
  }

  get problems(): readonly Problem[] {
    return this.#problems ?? none;
  }

  /** Reports a part that is left out. */
  leaveOut(what: string, why: string): void {
    this.#problems ??= [];
    const problem: Problem = {
      code: 'object-part-unreadable',
      severity: 'warn',
      subject: `${this.kind} ${this.key ?? '?'} ${what}`,
      message: `skipped ${what}: ${why}; the rest of the object is used`,
      advice: this.#advice(),
    };
    if (this.kind === 'Node') this.#problems.push({ ...problem, node: this.key ?? '' });
    else if (this.kind === 'Service') this.#problems.push({ ...problem, service: this.key ?? '' });
    else this.#problems.push(problem);
  }

  skip(why: string): Decoded<never> {
    const problem: Problem = {
      code: 'object-unreadable',
      severity: 'warn',
      subject: `${this.kind} ${this.key ?? 'without a name'}`,
      message: `skipped: ${why}; what was read of it before stays in use`,
      advice: this.#advice(),
    };
    return { key: this.key, object: undefined, problems: [problem] };
  }

  /** Parses an address; undefined, with a problem, when it is none. */
  ip(value: unknown, what: string): Ip | undefined {
    try {
      return parseIp(typeof value === 'string' ? value : String(JSON.stringify(value)));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.leaveOut(`${what} ${JSON.stringify(value)}`, error.message);
      return undefined;
    }
  }

  /** The network of `10.0.0.7/8`, whose host bits Kubernetes lets through; none, with a problem, when it is not one. */
  network(value: unknown, what: string): readonly Prefix[] {
    const [ip, length = ''] = typeof value === 'string' ? value.trim().split('/') : [];
    try {
      if (!/^\d{1,3}$/.test(length)) throw new RangeError('it has no prefix length');
      const address = parseIp(ip ?? '');
      if (Number(length) > bits(family(address))) throw new RangeError(`its prefix length is ${length}`);
      return [networkOf(address, Number(length))];
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.leaveOut(`${what} ${JSON.stringify(value)}`, error.message);
      return [];
    }
  }

  ips(values: readonly unknown[], what: string): readonly Ip[] {
    if (values.length === 0) return none;
    if (values.length === 1) {
      const ip = this.ip(values[0], what);
      return ip === undefined ? none : [ip];
    }
    const ips = new Set<Ip>();
    for (const value of values) {
      const ip = this.ip(value, what);
      if (ip !== undefined) ips.add(ip);
    }
    return exact([...ips].sort(compareIp));
  }

  #advice(): string {
    if (this.key === undefined) return `look for a ${this.kind} without a name in what the API server sends`;
    const where = this.kind === 'Node' ? '' : ` -n ${this.namespace}`;
    const there = this.cluster === undefined ? '' : ` (in cluster ${this.cluster})`;
    return `look at it with: kubectl get ${this.kind.toLowerCase()} ${this.name}${where} -o yaml${there}`;
  }
}
