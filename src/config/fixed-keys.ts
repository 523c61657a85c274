/**
 * The keys of both roles that are read once, at the start: sources, folders, listeners, and the identity of our objects. A
 * change of one needs a restart. Ansible's roles have them too (`gateway_fixed`, `node_fixed`).
 */
export const fixedKeys: readonly string[] = [
  'kubeconfig',
  'context',
  'source.file',
  'clusters',
  'stateDirectory',
  'runtimeDirectory',
  'protocol',
  'table',
  'namesDirectory',
  'allocate.enabled',
  'allocate.lease',
  'publish.configMap',
  'publish.name',
  'eipsFrom.kubeconfig',
  'eipsFrom.context',
  'eipsFrom.configMap',
  'eipsFrom.key',
  'eipsFrom.every',
  'follow.enabled',
  'follow.kubeconfig',
  'follow.context',
  'follow.configMap',
  'follow.node',
  'follow.tell',
  'metrics.listen',
  'log.format',
];
