import { insideWords, type Service } from '../model/cluster.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { someNames } from '../model/some-names.ts';
import { addressIn, type Candidates, everyNode } from './carriers.ts';

/** Why the nodes of some endpoints carry nothing, and what to do. */
interface Reason {
  readonly text: string;
  readonly advice: string;
  /** Whoever may edit a Service or its pods can bring the other kind about. */
  readonly isOfNodes: boolean;
}

/** The message of several. @param eips in words */
export function withoutNodes(eips: string, reason: string): string {
  return `no node can carry ${eips}, whose Services have ready endpoints: ${reason}`;
}

/** Names that one reason has room for. */
const mostNames = 3;

/**
 * Why no node carries an EIP although its Services have endpoints that could serve it; undefined: they have none, or a
 * node could carry it and only waits.
 *
 * @param holders of an EIP without carriers
 */
export function withoutNode(
  eip: Ip,
  holders: readonly Service[],
  nodes: Pick<Candidates, 'byName' | 'every'>,
): Problem | undefined {
  const of = family(eip);
  const isServing = ({ endpoints }: Service): boolean =>
    endpoints.some(({ ip, ready, serving }) => (ready || serving) && family(ip) === of);
  const serving = holders.filter(isServing);
  const [first] = serving;
  if (first === undefined) return undefined;
  const reasons: Reason[] = [];
  for (const service of serving) {
    const isLocal = service.externalTrafficPolicy === 'Local';
    const reason = isLocal ? ofEndpoints(service, nodes, of) : ofCluster(service, nodes, of);
    if (reason === undefined) return undefined;
    reasons.push(reason);
  }
  const [reason, ...others] = reasons;
  if (reason === undefined) return undefined;
  const why = [...new Set([reason, ...others].map(({ text }) => text))].join('; ');
  return {
    code: 'eip-no-node',
    severity: reasons.some(({ isOfNodes }) => isOfNodes) ? 'error' : 'warn',
    subject: eip,
    message: `no node can carry ${eip} of Service ${serving.map(({ key }) => key).join(', ')}, which has ready endpoints: ${why}`,
    advice: `${insideWords(first.key)}${reason.advice}`,
    reason: why,
    eip,
    ...(serving.length === 1 ? { service: first.key } : {}),
  };
}

/** Under Cluster any node would do. */
function ofCluster({ cluster }: Service, nodes: Pick<Candidates, 'every'>, of: Family): Reason | undefined {
  if (everyNode(nodes, cluster)[of].length > 0) return undefined;
  const where = cluster === undefined ? 'the cluster' : `cluster ${cluster}`;
  return nodes.every.has(cluster)
    ? {
        text: `no node of ${where} has an IPv${of} InternalIP`,
        advice: `kubectl get nodes -o wide; start the kubelets with their addresses toward the gateway (--node-ip)`,
        isOfNodes: true,
      }
    : {
        text: `${where} has no node that a load balancer may use`,
        advice:
          'kubectl get nodes --show-labels; take the label node.kubernetes.io/exclude-from-external-load-balancers from some, or see why their condition NetworkUnavailable is True',
        isOfNodes: true,
      };
}

/** Under Local only the nodes of its endpoints would do. */
function ofEndpoints(
  { endpoints }: Service,
  { byName }: Pick<Candidates, 'byName'>,
  of: Family,
): Reason | undefined {
  const lacking = new Set<string>();
  const gone = new Set<string>();
  let isNameless = false;
  for (const { ip, node, ready, serving } of endpoints) {
    if (!(ready || serving) || family(ip) !== of) continue;
    const candidate = node === undefined ? undefined : byName.get(node);
    if (node === undefined) isNameless = true;
    else if (candidate === undefined) gone.add(node);
    else if (addressIn(candidate, of) === undefined) lacking.add(node);
    else return undefined;
  }
  const texts = [
    ...(lacking.size > 0 ? [`${nodesText(lacking)} no IPv${of} InternalIP`] : []),
    ...(gone.size > 0 ? [`${nodesText(gone, 'is', 'are')} gone, or left out of load balancers`] : []),
    ...(isNameless ? ['endpoints name no node, which externalTrafficPolicy Local needs'] : []),
  ];
  return {
    text: texts.join(', '),
    advice:
      lacking.size > 0
        ? 'kubectl get nodes -o wide; start the kubelet with its address toward the gateway (--node-ip)'
        : gone.size > 0
          ? 'kubectl get nodes --show-labels; run the pods on other nodes, or set externalTrafficPolicy: Cluster'
          : 'write nodeName into the endpoints of its EndpointSlice, or set externalTrafficPolicy: Cluster',
    isOfNodes: lacking.size > 0,
  };
}

function nodesText(names: ReadonlySet<string>, one = 'has', many = 'have'): string {
  const sorted = [...names].sort();
  const shown = someNames(sorted, mostNames);
  return sorted.length === 1 ? `node ${shown} ${one}` : `nodes ${shown} ${many}`;
}
