// The messages of Kubernetes that the server reads and writes in protobuf, with the field numbers of generated.proto in
// k8s.io/api/core/v1, k8s.io/api/discovery/v1 and k8s.io/apimachinery/pkg/apis/meta/v1.

export type Type =
  | 'text'
  | 'number'
  | 'boolean'
  /** Text by text. */
  | 'map'
  /** A Quantity by text. */
  | 'quantities'
  /** RFC 3339 in JSON, seconds in protobuf. */
  | 'time'
  /** A number or a text. */
  | 'port'
  /** Any JSON, as bytes. */
  | 'json'
  | Message;

/** Field number to name and type; a name that ends in `*` is a list. */
export type Message = Readonly<Record<number, readonly [name: string, type: Type]>>;

const metadata: Message = {
  1: ['name', 'text'],
  2: ['generateName', 'text'],
  3: ['namespace', 'text'],
  4: ['selfLink', 'text'],
  5: ['uid', 'text'],
  6: ['resourceVersion', 'text'],
  7: ['generation', 'number'],
  8: ['creationTimestamp', 'time'],
  9: ['deletionTimestamp', 'time'],
  10: ['deletionGracePeriodSeconds', 'number'],
  11: ['labels', 'map'],
  12: ['annotations', 'map'],
  13: [
    'ownerReferences*',
    {
      1: ['kind', 'text'],
      3: ['name', 'text'],
      4: ['uid', 'text'],
      5: ['apiVersion', 'text'],
      6: ['controller', 'boolean'],
      7: ['blockOwnerDeletion', 'boolean'],
    },
  ],
  14: ['finalizers*', 'text'],
  17: [
    'managedFields*',
    {
      1: ['manager', 'text'],
      2: ['operation', 'text'],
      3: ['apiVersion', 'text'],
      4: ['time', 'time'],
      6: ['fieldsType', 'text'],
      7: ['fieldsV1', 'json'],
      8: ['subresource', 'text'],
    },
  ],
};

const listMetadata: Message = {
  1: ['selfLink', 'text'],
  2: ['resourceVersion', 'text'],
  3: ['continue', 'text'],
  4: ['remainingItemCount', 'number'],
};

const servicePort: Message = {
  1: ['name', 'text'],
  2: ['protocol', 'text'],
  3: ['port', 'number'],
  4: ['targetPort', 'port'],
  5: ['nodePort', 'number'],
  6: ['appProtocol', 'text'],
};

const serviceSpec: Message = {
  1: ['ports*', servicePort],
  2: ['selector', 'map'],
  3: ['clusterIP', 'text'],
  4: ['type', 'text'],
  5: ['externalIPs*', 'text'],
  7: ['sessionAffinity', 'text'],
  8: ['loadBalancerIP', 'text'],
  9: ['loadBalancerSourceRanges*', 'text'],
  10: ['externalName', 'text'],
  11: ['externalTrafficPolicy', 'text'],
  12: ['healthCheckNodePort', 'number'],
  13: ['publishNotReadyAddresses', 'boolean'],
  14: ['sessionAffinityConfig', { 1: ['clientIP', { 1: ['timeoutSeconds', 'number'] }] }],
  17: ['ipFamilyPolicy', 'text'],
  18: ['clusterIPs*', 'text'],
  19: ['ipFamilies*', 'text'],
  20: ['allocateLoadBalancerNodePorts', 'boolean'],
  21: ['loadBalancerClass', 'text'],
  22: ['internalTrafficPolicy', 'text'],
  23: ['trafficDistribution', 'text'],
};

const condition: Message = {
  1: ['type', 'text'],
  2: ['status', 'text'],
  3: ['observedGeneration', 'number'],
  4: ['lastTransitionTime', 'time'],
  5: ['reason', 'text'],
  6: ['message', 'text'],
};

const ingress: Message = {
  1: ['ip', 'text'],
  2: ['hostname', 'text'],
  3: ['ipMode', 'text'],
  4: ['ports*', { 1: ['port', 'number'], 2: ['protocol', 'text'], 3: ['error', 'text'] }],
};

const serviceStatus: Message = {
  1: ['loadBalancer', { 1: ['ingress*', ingress] }],
  2: ['conditions*', condition],
};

const nodeSpec: Message = {
  1: ['podCIDR', 'text'],
  3: ['providerID', 'text'],
  4: ['unschedulable', 'boolean'],
  5: [
    'taints*',
    { 1: ['key', 'text'], 2: ['value', 'text'], 3: ['effect', 'text'], 4: ['timeAdded', 'time'] },
  ],
  7: ['podCIDRs*', 'text'],
};

const nodeStatus: Message = {
  1: ['capacity', 'quantities'],
  2: ['allocatable', 'quantities'],
  3: ['phase', 'text'],
  4: [
    'conditions*',
    {
      1: ['type', 'text'],
      2: ['status', 'text'],
      3: ['lastHeartbeatTime', 'time'],
      4: ['lastTransitionTime', 'time'],
      5: ['reason', 'text'],
      6: ['message', 'text'],
    },
  ],
  5: ['addresses*', { 1: ['type', 'text'], 2: ['address', 'text'] }],
  6: ['daemonEndpoints', { 1: ['kubeletEndpoint', { 1: ['Port', 'number'] }] }],
  7: [
    'nodeInfo',
    {
      1: ['machineID', 'text'],
      2: ['systemUUID', 'text'],
      3: ['bootID', 'text'],
      4: ['kernelVersion', 'text'],
      5: ['osImage', 'text'],
      6: ['containerRuntimeVersion', 'text'],
      7: ['kubeletVersion', 'text'],
      8: ['kubeProxyVersion', 'text'],
      9: ['operatingSystem', 'text'],
      10: ['architecture', 'text'],
    },
  ],
  8: ['images*', { 1: ['names*', 'text'], 2: ['sizeBytes', 'number'] }],
  9: ['volumesInUse*', 'text'],
};

const reference: Message = {
  1: ['kind', 'text'],
  2: ['namespace', 'text'],
  3: ['name', 'text'],
  4: ['uid', 'text'],
  5: ['apiVersion', 'text'],
  6: ['resourceVersion', 'text'],
  7: ['fieldPath', 'text'],
};

const endpoint: Message = {
  1: ['addresses*', 'text'],
  2: ['conditions', { 1: ['ready', 'boolean'], 2: ['serving', 'boolean'], 3: ['terminating', 'boolean'] }],
  3: ['hostname', 'text'],
  4: ['targetRef', reference],
  5: ['deprecatedTopology', 'map'],
  6: ['nodeName', 'text'],
  7: ['zone', 'text'],
  8: ['hints', { 1: ['forZones*', { 1: ['name', 'text'] }], 2: ['forNodes*', { 1: ['name', 'text'] }] }],
};

const service: Message = {
  1: ['metadata', metadata],
  2: ['spec', serviceSpec],
  3: ['status', serviceStatus],
};
const node: Message = { 1: ['metadata', metadata], 2: ['spec', nodeSpec], 3: ['status', nodeStatus] };
const slice: Message = {
  1: ['metadata', metadata],
  2: ['endpoints*', endpoint],
  3: [
    'ports*',
    { 1: ['name', 'text'], 2: ['protocol', 'text'], 3: ['port', 'number'], 4: ['appProtocol', 'text'] },
  ],
  4: ['addressType', 'text'],
};
const status: Message = {
  1: ['metadata', listMetadata],
  2: ['status', 'text'],
  3: ['message', 'text'],
  4: ['reason', 'text'],
  5: [
    'details',
    {
      1: ['name', 'text'],
      2: ['group', 'text'],
      3: ['kind', 'text'],
      5: ['retryAfterSeconds', 'number'],
      6: ['uid', 'text'],
    },
  ],
  6: ['code', 'number'],
};

function listOf(item: Message): Message {
  return { 1: ['metadata', listMetadata], 2: ['items*', item] };
}

/** What the server writes in protobuf, by kind: all fields but those of alpha features. */
export const written: Readonly<Record<string, Message>> = {
  Service: service,
  ServiceList: listOf(service),
  Node: node,
  NodeList: listOf(node),
  EndpointSlice: slice,
  EndpointSliceList: listOf(slice),
  Status: status,
};

/** What `kubectl create` and its like send as protobuf whatever the server says it takes. */
export const readable: Readonly<Record<string, Message>> = {
  Namespace: { 1: ['metadata', metadata] },
  Service: service,
  ConfigMap: { 1: ['metadata', metadata], 2: ['data', 'map'] },
  ServiceAccount: { 1: ['metadata', metadata] },
};

export const intOrString: Message = { 1: ['kind', 'number'], 2: ['number', 'number'], 3: ['text', 'text'] };
