import { parseIp } from '../../src/model/ip.ts';
import { at, type Json, type JsonObject, listAt, textAt } from '../cluster/api/json.ts';
import type { ProxiedEndpoint, ProxiedService } from './proxy-rules.ts';

/** The Services that a kube-proxy serves, by the objects of the API. */
export function proxiedServices(
  services: readonly JsonObject[],
  slices: readonly JsonObject[],
): readonly ProxiedService[] {
  return services.flatMap((service) => {
    const namespace = textAt(service, 'metadata', 'namespace');
    const name = textAt(service, 'metadata', 'name');
    const own = slices.filter(
      (slice) =>
        textAt(slice, 'metadata', 'namespace') === namespace &&
        textAt(slice, 'metadata', 'labels', 'kubernetes.io/service-name') === name,
    );
    const addresses = [
      ...listAt(service, 'status', 'loadBalancer', 'ingress').map((each) => textAt(each, 'ip')),
      ...listAt(service, 'spec', 'externalIPs').map((each) => (typeof each === 'string' ? each : '')),
    ].filter((text) => text !== '');
    return listAt(service, 'spec', 'ports').map((port) => ({
      name: `${namespace}/${name}`,
      addresses: [...new Set(addresses)].map(parseIp),
      protocol: textAt(port, 'protocol') === 'UDP' ? ('udp' as const) : ('tcp' as const),
      port: numberAt(port, 'port'),
      policy:
        textAt(service, 'spec', 'externalTrafficPolicy') === 'Local'
          ? ('Local' as const)
          : ('Cluster' as const),
      healthPort: healthPort(service),
      endpoints: own.flatMap((slice) => endpoints(slice, textAt(port, 'name'))),
    }));
  });
}

function healthPort(service: JsonObject): number | undefined {
  const port = at(service, 'spec', 'healthCheckNodePort');
  return typeof port === 'number' && port > 0 ? port : undefined;
}

function endpoints(slice: JsonObject, portName: string): readonly ProxiedEndpoint[] {
  const ports = listAt(slice, 'ports');
  const port = ports.find((each) => textAt(each, 'name') === portName);
  if (port === undefined) return [];
  return listAt(slice, 'endpoints').flatMap((endpoint) =>
    listAt(endpoint, 'addresses').flatMap((address) =>
      typeof address === 'string'
        ? [
            {
              ip: parseIp(address),
              port: numberAt(port, 'port'),
              node: textAt(endpoint, 'nodeName'),
              state: stateOf(endpoint),
            },
          ]
        : [],
    ),
  );
}

function stateOf(endpoint: Json): ProxiedEndpoint['state'] {
  const ready = at(endpoint, 'conditions', 'ready') !== false;
  if (ready) return 'ready';
  return at(endpoint, 'conditions', 'serving') === true ? 'terminating' : 'away';
}

function numberAt(value: Json, name: string): number {
  const found = at(value, name);
  return typeof found === 'number' ? found : 0;
}
