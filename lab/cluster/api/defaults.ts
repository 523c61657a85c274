import { Failure } from './failure.ts';
import { at, clean, isObject, type Json, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import type { Kind } from './kinds.ts';
import { nameOf } from './objects.ts';

/** What an API server fills in or allocates before it stores an object. */
export class Defaults {
  #clusterIp = 10;
  #nodePort = 30_000;

  /** For a new object, and again after each update: a Service that becomes a LoadBalancer needs node ports. */
  complete(kind: Kind, object: JsonObject): JsonObject {
    check(kind, object);
    return kind.kind === 'Service' ? this.#service(object) : object;
  }

  #service(object: JsonObject): JsonObject {
    const spec = objectAt(object, 'spec');
    const type = textAt(spec, 'type') || 'ClusterIP';
    if (type === 'ExternalName') return object;
    const external = type === 'NodePort' || type === 'LoadBalancer';
    const policy = external ? textAt(spec, 'externalTrafficPolicy') || 'Cluster' : undefined;
    const local = type === 'LoadBalancer' && policy === 'Local';
    const clusterIp = textAt(spec, 'clusterIP') || this.#nextClusterIp();
    const wantsPorts = external && at(spec, 'allocateLoadBalancerNodePorts') !== false;
    const full = {
      ...spec,
      type,
      clusterIP: clusterIp,
      clusterIPs: at(spec, 'clusterIPs') ?? [clusterIp],
      ports: listAt(spec, 'ports').map((port) => this.#port(port, wantsPorts)),
      sessionAffinity: textAt(spec, 'sessionAffinity') || 'None',
      internalTrafficPolicy: textAt(spec, 'internalTrafficPolicy') || 'Cluster',
      ipFamilies: at(spec, 'ipFamilies') ?? ['IPv4'],
      ipFamilyPolicy: textAt(spec, 'ipFamilyPolicy') || 'SingleStack',
      externalTrafficPolicy: policy,
      allocateLoadBalancerNodePorts:
        type === 'LoadBalancer' ? (at(spec, 'allocateLoadBalancerNodePorts') ?? true) : undefined,
      healthCheckNodePort: local ? (at(spec, 'healthCheckNodePort') ?? this.#nextNodePort()) : undefined,
    };
    // A Service that is no LoadBalancer (any more) has no addresses; its conditions stay.
    const loadBalancer = type === 'LoadBalancer' ? objectAt(object, 'status', 'loadBalancer') : {};
    const status = { ...objectAt(object, 'status'), loadBalancer };
    return { ...object, spec: clean(full), status };
  }

  #port(port: Json, wantsNodePort: boolean): Json {
    if (!isObject(port)) return port;
    const nodePort = wantsNodePort ? (at(port, 'nodePort') ?? this.#nextNodePort()) : undefined;
    return clean({
      ...port,
      protocol: at(port, 'protocol') ?? 'TCP',
      targetPort: at(port, 'targetPort') ?? at(port, 'port'),
      nodePort,
    });
  }

  #nextClusterIp(): string {
    this.#clusterIp += 1;
    return `10.96.${this.#clusterIp >> 8}.${this.#clusterIp & 0xff}`;
  }

  #nextNodePort(): number {
    this.#nodePort += 1;
    return this.#nodePort;
  }
}

function check(kind: Kind, object: JsonObject): void {
  const name = nameOf(object);
  const invalid = (field: string, why: string): Failure =>
    new Failure(422, `${kind.kind} "${name}" is invalid: ${field}: ${why}`);
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(name)) {
    throw invalid('metadata.name', `Invalid value: "${name}": a lowercase RFC 1123 name is needed`);
  }
  if (kind.kind !== 'Service') return;
  const type = textAt(object, 'spec', 'type') || 'ClusterIP';
  if (!['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'].includes(type)) {
    throw invalid('spec.type', `Unsupported value: "${type}"`);
  }
  if (type !== 'ExternalName' && listAt(object, 'spec', 'ports').length === 0) {
    throw invalid('spec.ports', 'Required value');
  }
}
