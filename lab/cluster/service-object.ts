import type { Dual } from '../network/map.ts';
import { at, type JsonObject, listAt, objectAt } from './api/json.ts';
import type { LabService } from './cluster.ts';

/** The Service as its owner would apply it; the API gives it its cluster addresses. */
export function serviceObject({ name, policy, eip, annotations = {}, spec = {} }: LabService): JsonObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default', annotations: { ...annotations } },
    spec: {
      type: 'LoadBalancer',
      ...(eip === undefined ? { loadBalancerClass: 'eiproute.io/gateway' } : {}),
      selector: { [podLabel(name)]: 'yes' },
      ipFamilyPolicy: 'RequireDualStack',
      ipFamilies: ['IPv4', 'IPv6'],
      externalTrafficPolicy: policy,
      allocateLoadBalancerNodePorts: false,
      ports: [{ name: 'http', protocol: 'TCP', port: 80, targetPort: 8080 }],
      ...objectAt(spec),
    },
  };
}

/** Pods with this label are the backends of a Service of the lab; a Pod may serve several. */
export function podLabel(service: string): string {
  return `serves/${service}`;
}

/** The ports of the EndpointSlices of a Service, by its own. */
export function slicePorts(service: JsonObject): readonly JsonObject[] {
  return listAt(service, 'spec', 'ports').map((port) => ({
    name: at(port, 'name'),
    protocol: at(port, 'protocol'),
    port: at(port, 'targetPort') ?? at(port, 'port'),
  }));
}

/** The status of a Service that somebody has given this EIP. */
export function statusWith(eip: Dual): JsonObject {
  return { status: { loadBalancer: { ingress: [eip.v4, eip.v6].map((ip) => ({ ip, ipMode: 'VIP' })) } } };
}
