import { duration, interfaceName, objectName, path, truth, word } from './format.ts';
import { markMask, priority, table } from './numbers.ts';
import { type Leaf, leaf, leaves, type Schema } from './schema.ts';

/**
 * Every key of a node's file except the lists `eips` and `gateways`, which are in agent.ts. Keys of both roles are the
 * same.
 */
export const nodeLeaves = {
  eipsKubeconfig: leaf('eipsFrom.kubeconfig', path, undefined, 'how to reach the Kubernetes API'),
  eipsContext: leaf('eipsFrom.context', word, undefined, 'the context of the kubeconfig'),
  eipsConfigMap: leaf('eipsFrom.configMap', objectName, undefined, 'the ConfigMap that holds the networks'),
  eipsKey: leaf('eipsFrom.key', word, 'eips', 'its key'),
  eipsEvery: leaf('eipsFrom.every', duration(1000, 3_600_000), '30s', 'time between two looks at it'),
  follow: leaf('follow.enabled', truth, 'false', 'take networks and gateways from what gateways publish'),
  followKubeconfig: leaf('follow.kubeconfig', path, undefined, 'how to reach the Kubernetes API'),
  followContext: leaf('follow.context', word, undefined, 'the context of the kubeconfig'),
  followConfigMap: leaf('follow.configMap', objectName, 'kube-system/eiproute', 'where gateways publish'),
  followNode: leaf('follow.node', word, undefined, 'the name of its Node; the host name'),
  followTell: leaf('follow.tell', truth, 'true', 'tell by an annotation of the Node what is served'),
  interface: leaf('interface', interfaceName, undefined, 'the interface towards the gateways'),
  localTable: leaf('tables.local', table, '100', 'the table that keeps EIPs from looping'),
  repliesTable: leaf('tables.replies', table, '101', 'the table of the first gateway; the next follow'),
  marksPriority: leaf('priorities.marks', priority, '1001', 'of the rules that follow marks'),
  localPriority: leaf('priorities.local', priority, '1100', 'of the rules to the local table'),
  repliesPriority: leaf('priorities.replies', priority, '1101', 'of the rules for sockets bound to an EIP'),
  markMask: leaf('markMask', markMask, '0x00f00000', 'the bits of packet marks that are ours'),
  literalLocal: leaf('literalLocal', truth, 'false', 'local 0/0 in the local table'),
  protocol: leaves.protocol,
  settle: leaves.settle,
  resync: leaves.resync,
  retryFirst: leaves.retryFirst,
  retryLongest: leaves.retryLongest,
  stateDirectory: leaves.stateDirectory,
  runtimeDirectory: leaves.runtimeDirectory,
  namesDirectory: leaf('namesDirectory', path, '/etc/iproute2', 'where iproute2 looks for names of numbers'),
  metricsListen: leaves.metricsListen,
  logLevel: leaves.logLevel,
  logFormat: leaves.logFormat,
} as const;

const allNodeLeaves: readonly Leaf<unknown>[] = Object.values(nodeLeaves);

export const nodeSchema: Schema = {
  leaves: allNodeLeaves,
  lists: ['eips', 'gateways'],
  shorthands: new Map([['follow', 'enabled']]),
};
