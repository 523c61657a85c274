import { insideWords, type Service } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';

/**
 * An address that kube-proxy takes no packet for, as the status says that a proxy has it (`loadBalancerVIPs` in
 * k8s.io/kubernetes/pkg/proxy/serviceport.go); undefined: kube-proxy takes them. It stays routed all the same: what else
 * serves on the nodes may go by the address alone.
 *
 * @param service holds the EIP, which is not in mode nat
 */
export function leftToProxy(eip: Ip, service: Service): Problem | undefined {
  const { key, namespace, name, proxied, externalIps } = service;
  if (proxied?.includes(eip) !== true || externalIps.includes(eip)) return undefined;
  return {
    code: 'eip-left-to-proxy',
    severity: 'error',
    subject: `${eip} of Service ${key}`,
    message: `the status of Service ${key} gives ${eip} with ipMode Proxy: kube-proxy takes no packet for it, and those that are routed to the nodes get no answer`,
    advice: `${insideWords(key)}have the program that writes the status (kubectl get service ${name} -n ${namespace} -o yaml --show-managed-fields) set ipMode VIP, or put ${eip} into a pool of mode nat`,
    eip,
    service: key,
  };
}
