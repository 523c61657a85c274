import type { Service, ServicePort } from '../model/cluster.ts';
import type { Gateway, Pool } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';

/** Whether packets for the EIPs of a pool are changed. The mode is that of the pool, so Services that share an EIP have one. */
export function isNat({ mode = 'routed' }: Pick<Gateway, 'mode'>, pool: Pool | undefined): boolean {
  return (pool?.mode ?? mode) === 'nat';
}

/** Whether any EIP may be in the table of NAT. */
export function usesNat(gateway: Gateway): boolean {
  return isNat(gateway, undefined) || gateway.pools.some((pool) => isNat(gateway, pool));
}

/** A port of a Service that has a NodePort. */
export type NodePort = ServicePort & { readonly nodePort: number };

export function nodePorts({ ports }: Service): readonly NodePort[] {
  return ports.flatMap(({ nodePort, ...port }) => (nodePort === undefined ? [] : [{ ...port, nodePort }]));
}

export function hasNodePort({ ports }: Service): boolean {
  return ports.some(({ nodePort }) => nodePort !== undefined);
}

/** Ports of a Service that cannot be reached by NAT; undefined: all can. */
export function withoutNodePort(eip: Ip, service: Service): Problem | undefined {
  const missing = service.ports.filter(({ nodePort }) => nodePort === undefined);
  if (missing.length === 0) return undefined;
  const name = service.key;
  const which = missing.map(({ protocol, port }) => `${protocol} ${port}`).join(', ');
  const lost =
    missing.length === service.ports.length
      ? `${eip} is not routed to it`
      : `who connects to ${eip} there is refused`;
  return {
    code: 'nat-no-node-port',
    severity: 'error',
    subject: `${eip} of Service ${name}`,
    message: `Service ${name} has no NodePort for ${which}, which NAT needs; ${lost}`,
    advice:
      service.type === 'ClusterIP'
        ? 'make it a Service of type LoadBalancer, or put its EIP into a pool of mode routed'
        : 'set spec.allocateLoadBalancerNodePorts to true, or put its EIP into a pool of mode routed',
    eip,
    service: name,
  };
}
