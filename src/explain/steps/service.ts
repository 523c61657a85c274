import { type Family, family } from '../../model/ip.ts';
import type { ProblemCode } from '../../model/problem.ts';
import { some } from '../../status/need.ts';
import type { ServiceView } from '../../status/path-view.ts';
import { counted } from '../../status/state.ts';
import type { TraceFacts } from '../trace-facts.ts';
import { holdersOf, kubectlName, portsOf, type Rest, type Step, step } from './step.ts';

/** What keeps the nodes from it is told of the carriers, and what takes its packets of the route. */
const ofLaterSteps: ReadonlySet<ProblemCode> = new Set(['eip-no-node', 'eip-shadowed']);

export function serviceStep(facts: TraceFacts): Step {
  const holders = holdersOf(facts);
  const { view, asked, port, source } = facts;
  if (source.kind === 'nothing')
    return step('service', '?', 'not known: nothing is known of the cluster', { why: source.why });
  if (view === undefined)
    return step('service', 'FAIL', `there is no Service ${asked}`, {
      why: `the cluster has no Service ${asked}`,
      advice: 'kubectl get services -A; name it as NAMESPACE/NAME',
    });
  const { eip, services, problems } = view;
  const [problem] = problems;
  const told = problem && { why: problem.message, advice: problem.advice };
  if (eip === undefined) {
    const [service] = services;
    const what = `${service?.name} has no address`;
    if (service?.deleting) return step('service', 'FAIL', what, isBeingDeleted(service));
    if (service?.type !== 'LoadBalancer')
      return step('service', 'FAIL', `${what}: its type is ${service?.type}`, {
        why: `only a Service of type LoadBalancer, or one with externalIPs, has an EIP`,
        advice: `kubectl patch service ${kubectlName(service?.name)} -p '{"spec":{"type":"LoadBalancer"}}'`,
      });
    return step('service', 'FAIL', what, told ?? withoutAddress(facts, service));
  }
  if (holders.length === 0) {
    const [first] = services;
    if (first === undefined)
      return step('service', 'FAIL', `no Service holds ${eip}`, {
        why: `no Service has ${eip} in its status, and none asks for it`,
        advice: 'kubectl get services -A; eiproute pools shows who holds what',
      });
    if (first.deleting) return step('service', 'FAIL', `no Service holds ${eip}`, isBeingDeleted(first));
    return step('service', 'FAIL', `${first.name} asks for ${eip}, and does not get it`, {
      why: problem?.message ?? `${first.name} may not have it`,
      advice: problem?.advice,
    });
  }
  return heldStep(facts, holders, port);
}

function heldStep({ view }: TraceFacts, holders: readonly ServiceView[], port: number | undefined): Step {
  const asked = holders.filter(({ ports }) => port === undefined || ports.some((one) => one.port === port));
  const finding = holders.map(serviceText).join('; ');
  if (asked.length === 0) {
    const all = holders.flatMap((one) => portsOf(one).map((text) => `${text} (${one.name})`));
    return step('service', 'FAIL', `no Service on it has port ${port}`, {
      why: `port ${port} of ${view?.eip} belongs to no Service; there are ${all.join(', ')}`,
      advice: 'ask for one of these ports, or add the port to the Service',
    });
  }
  const able = asked.filter(({ endpoints }) => endpoints > 0);
  if (able.length === 0) {
    const [first] = asked;
    const nodeless = (view?.problems ?? []).find(({ code }) => code === 'eip-no-node');
    if (nodeless !== undefined)
      return step('service', 'FAIL', finding, { why: nodeless.message, advice: nodeless.advice });
    if (first?.otherEndpoints !== undefined && view?.eip !== undefined)
      return step('service', 'FAIL', finding, ofOtherFamily(first, family(view.eip)));
    return step('service', 'FAIL', finding, {
      why: `${first?.name} has no ready endpoint: no pod could answer`,
      advice: `kubectl get endpointslices ${kubectlName(first?.name, '-l kubernetes.io/service-name=')}; see that its pods run and are ready, that its selector finds them, and that they have its targetPort (PORTS is not <unset>)`,
    });
  }
  const problems = (view?.problems ?? []).filter(({ code }) => !ofLaterSteps.has(code));
  const error = problems.find(({ severity }) => severity === 'error');
  const more = problems.map(({ severity, message }) => `${severity}: ${message}`);
  if (error !== undefined)
    return step('service', 'FAIL', finding, { more, why: error.message, advice: error.advice });
  const state = problems.length > 0 || able.length < asked.length ? 'warn' : 'ok';
  return step('service', state, finding, { more });
}

function serviceText({ name, type, policy, endpoints, nodes }: ServiceView): string {
  const on = endpoints === 0 ? '' : ` on ${counted(nodes, 'node')}`;
  return `${name}, ${type}, policy ${policy}, ${counted(endpoints, 'ready endpoint')}${on}`;
}

function isBeingDeleted({ name }: ServiceView): Rest {
  return {
    why: `${name} is being deleted, and holds no address any more: finalizers keep what is left of it`,
    advice: `kubectl get service ${kubectlName(name)} -o jsonpath={.metadata.finalizers} names what is waited for; a Service that is being deleted cannot be had back: make it anew`,
  };
}

function ofOtherFamily({ name, otherEndpoints = 0 }: ServiceView, of: Family): Rest {
  const other = of === 4 ? 6 : 4;
  return {
    why: `${name} has no ready endpoint of IPv${of}, and ${otherEndpoints} of IPv${other}: no pod could answer by IPv${of}`,
    advice: `kubectl get service ${kubectlName(name)} -o jsonpath={.spec.ipFamilies}; see that it has IPv${of}, and that its pods have addresses of both families`,
  };
}

function withoutAddress({ gateway }: TraceFacts, service: ServiceView): Rest {
  const { name, loadBalancerClass: found, hostnames } = service;
  const { allocation } = gateway;
  if (allocation === undefined && hostnames !== undefined)
    return {
      why: `the status of ${name} has no address, but the host name ${some(hostnames)} of another load balancer`,
      advice: `set loadBalancerClass to what is to give ${name} an address, or connect to the host name`,
    };
  if (allocation === undefined)
    return {
      why: `eiproute gives no addresses here (allocate: false), and no other program has given ${name} one`,
      advice: 'set allocate: true in the configuration, or see to the program that gives addresses',
    };
  if (found === undefined ? !allocation.classless : found !== allocation.class) {
    const ours = allocation.classless
      ? `with loadBalancerClass ${allocation.class}, or without one,`
      : `with loadBalancerClass ${allocation.class} alone`;
    return {
      why: `${name} has ${found === undefined ? 'no loadBalancerClass' : `loadBalancerClass ${found}`}, and eiproute gives addresses to Services ${ours} here`,
      advice: `make it anew with loadBalancerClass: ${allocation.class} (Kubernetes lets nobody change it), or see to the program that its class is for`,
    };
  }
  const { lease } = allocation;
  return {
    why: `${name} has no address yet, and no reason is known${lease === undefined ? '' : '; the gateway that holds the Lease gives it'}`,
    advice: `eiproute pools; eiproute status${lease === undefined ? '' : ' on the gateway that holds the Lease'}`,
  };
}
