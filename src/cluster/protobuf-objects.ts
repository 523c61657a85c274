import { agentAnnotation, drainAnnotation, requestAnnotations } from '../model/cluster.ts';
import type { ProtobufReader } from './protobuf.ts';
import type { Raw } from './raw.ts';

// What decode.ts reads of an API object, out of protobuf, as an object in the shape of its JSON. All other fields are
// skipped. The numbers are those of generated.proto in k8s.io/api/core/v1, k8s.io/api/discovery/v1 and
// k8s.io/apimachinery/pkg/apis/meta/v1. A number never gets another meaning; 1.33 and 1.37 agree on all of these.
//
// Go writes a text or number that is not set as '' or 0, where its JSON may have nothing (omitempty): see `set`. It is not
// needed where decode.ts takes both for the same.

/** Which keys of a map are read. */
type Keys = ReadonlySet<string> | 'all';

interface MetadataKeys {
  readonly labels: Keys;
  readonly annotations: Keys;
}

const ofNode: MetadataKeys = {
  labels: new Set(['node.kubernetes.io/exclude-from-external-load-balancers']),
  annotations: new Set([agentAnnotation, drainAnnotation]),
};
const ofService: MetadataKeys = {
  labels: 'all',
  annotations: new Set(Object.values(requestAnnotations).flat()),
};
const ofSlice: MetadataKeys = {
  labels: new Set(['kubernetes.io/service-name']),
  annotations: new Set(),
};

/** core/v1 Node */
export function readNode(reader: ProtobufReader): Raw {
  let metadata: Raw | undefined;
  let spec: Raw | undefined;
  let status: Raw | undefined;
  while (reader.next()) {
    if (reader.field === 1) metadata = reader.message(nodeMetadata);
    else if (reader.field === 2) spec = reader.message(nodeSpec);
    else if (reader.field === 3) status = reader.message(nodeStatus);
    else reader.skip();
  }
  return { metadata, spec, status };
}

/** core/v1 Service */
export function readService(reader: ProtobufReader): Raw {
  let metadata: Raw | undefined;
  let spec: Raw | undefined;
  let status: Raw | undefined;
  while (reader.next()) {
    if (reader.field === 1) metadata = reader.message(serviceMetadata);
    else if (reader.field === 2) spec = reader.message(serviceSpec);
    else if (reader.field === 3) status = reader.message(serviceStatus);
    else reader.skip();
  }
  return { metadata, spec, status };
}

/** discovery/v1 EndpointSlice */
export function readSlice(reader: ProtobufReader): Raw {
  let metadata: Raw | undefined;
  let addressType: string | undefined;
  const endpoints: Raw[] = [];
  while (reader.next()) {
    if (reader.field === 1) metadata = reader.message(sliceMetadata);
    else if (reader.field === 2) endpoints.push(reader.message(endpoint));
    else if (reader.field === 4) addressType = reader.word();
    else reader.skip();
  }
  return { metadata, addressType, endpoints };
}

/** A field that JSON leaves out when it is empty. */
function set<T extends string | number>(value: T): T | undefined {
  return value === '' || value === 0 ? undefined : value;
}

function nodeMetadata(reader: ProtobufReader): Raw {
  return objectMeta(reader, ofNode);
}

function serviceMetadata(reader: ProtobufReader): Raw {
  return objectMeta(reader, ofService);
}

function sliceMetadata(reader: ProtobufReader): Raw {
  return objectMeta(reader, ofSlice);
}

/** meta/v1 ObjectMeta */
function objectMeta(reader: ProtobufReader, keys: MetadataKeys): Raw {
  let name: string | undefined;
  let namespace: string | undefined;
  let uid: string | undefined;
  let resourceVersion: string | undefined;
  let creationTimestamp: string | undefined;
  let deletionTimestamp: string | undefined;
  const labels: Entries = [];
  const annotations: Entries = [];
  const finalizers: string[] = [];
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        name = reader.text();
        break;
      case 3:
        namespace = reader.word();
        break;
      case 5:
        uid = reader.text();
        break;
      case 6:
        resourceVersion = reader.text();
        break;
      case 8:
        creationTimestamp = reader.message(time);
        break;
      case 9:
        deletionTimestamp = reader.message(time);
        break;
      case 11:
        entry(reader, keys.labels, labels);
        break;
      case 12:
        entry(reader, keys.annotations, annotations);
        break;
      case 14:
        finalizers.push(reader.word());
        break;
      default:
        reader.skip();
    }
  }
  return {
    name,
    namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    deletionTimestamp,
    labels: mapOf(labels),
    annotations: mapOf(annotations),
    finalizers,
  };
}

type Entries = [key: string, value: string][];

/** One entry of a map; its value is not read when nobody wants the key. */
function entry(reader: ProtobufReader, keys: Keys, entries: Entries): void {
  let key = '';
  let value = '';
  reader.message((inner) => {
    while (inner.next()) {
      // Go writes the key first.
      if (inner.field === 1) key = inner.word();
      else if (inner.field === 2 && (keys === 'all' || keys.has(key))) value = inner.text();
      else inner.skip();
    }
  });
  if (keys === 'all' || keys.has(key)) entries.push([key, value]);
}

function mapOf(entries: Entries): Readonly<Record<string, string>> | undefined {
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** Of the last time that was read: objects of one second follow each other. */
let second = 0;
let secondText = textOf(second);

/**
 * meta/v1 Time, in the text of JSON, where it has no fractions of a second.
 *
 * @returns undefined for the zero time of Go, which is an empty message
 */
function time(reader: ProtobufReader): string | undefined {
  let seconds: number | undefined;
  while (reader.next()) {
    if (reader.field === 1) seconds = reader.int64();
    else reader.skip();
  }
  if (seconds === undefined) return undefined;
  if (seconds !== second) {
    second = seconds;
    secondText = textOf(seconds);
  }
  return secondText;
}

/** Beyond the year 9999 there is no text in RFC 3339. */
function textOf(seconds: number): string {
  const limited = Math.max(-62_167_219_200, Math.min(seconds, 253_402_300_799));
  return new Date(limited * 1000).toISOString().replace('.000Z', 'Z');
}

/** core/v1 NodeSpec */
function nodeSpec(reader: ProtobufReader): Raw {
  let unschedulable: boolean | undefined;
  const taints: Raw[] = [];
  while (reader.next()) {
    if (reader.field === 4) unschedulable = reader.bool();
    else if (reader.field === 5) taints.push(reader.message(taint));
    else reader.skip();
  }
  return { unschedulable, taints };
}

/** core/v1 Taint */
function taint(reader: ProtobufReader): Raw {
  let key: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) key = reader.word();
    else reader.skip();
  }
  return { key };
}

/** core/v1 NodeStatus */
function nodeStatus(reader: ProtobufReader): Raw {
  const conditions: Raw[] = [];
  const addresses: Raw[] = [];
  while (reader.next()) {
    if (reader.field === 4) conditions.push(reader.message(nodeCondition));
    else if (reader.field === 5) addresses.push(reader.message(nodeAddress));
    else reader.skip();
  }
  return { conditions, addresses };
}

/** core/v1 NodeCondition */
function nodeCondition(reader: ProtobufReader): Raw {
  let type: string | undefined;
  let status: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) type = reader.word();
    else if (reader.field === 2) status = reader.word();
    else reader.skip();
  }
  return { type, status };
}

/** core/v1 NodeAddress */
function nodeAddress(reader: ProtobufReader): Raw {
  let type: string | undefined;
  let address: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) type = reader.word();
    else if (reader.field === 2) address = reader.text();
    else reader.skip();
  }
  return { type, address };
}

/** core/v1 ServiceSpec */
function serviceSpec(reader: ProtobufReader): Raw {
  const ports: Raw[] = [];
  const selector: Entries = [];
  let clusterIP: string | undefined;
  const clusterIPs: string[] = [];
  let type: string | undefined;
  const externalIPs: string[] = [];
  let sessionAffinity: string | undefined;
  let loadBalancerIP: string | undefined;
  const loadBalancerSourceRanges: string[] = [];
  let externalTrafficPolicy: string | undefined;
  let healthCheckNodePort: number | undefined;
  let ipFamilyPolicy: string | undefined;
  let loadBalancerClass: string | undefined;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        ports.push(reader.message(servicePort));
        break;
      case 2:
        entry(reader, 'all', selector);
        break;
      case 3:
        clusterIP = reader.text();
        break;
      case 4:
        type = set(reader.word());
        break;
      case 5:
        externalIPs.push(reader.text());
        break;
      case 7:
        sessionAffinity = reader.word();
        break;
      case 8:
        loadBalancerIP = reader.text();
        break;
      case 9:
        loadBalancerSourceRanges.push(reader.text());
        break;
      case 11:
        externalTrafficPolicy = set(reader.word());
        break;
      case 12:
        healthCheckNodePort = reader.int32();
        break;
      case 17:
        ipFamilyPolicy = reader.word();
        break;
      case 18:
        clusterIPs.push(reader.text());
        break;
      case 21:
        loadBalancerClass = reader.word();
        break;
      default:
        reader.skip();
    }
  }
  return {
    ports,
    selector: mapOf(selector),
    clusterIP,
    clusterIPs,
    type,
    externalIPs,
    sessionAffinity,
    loadBalancerIP,
    loadBalancerSourceRanges,
    externalTrafficPolicy,
    healthCheckNodePort,
    ipFamilyPolicy,
    loadBalancerClass,
  };
}

/** core/v1 ServicePort */
function servicePort(reader: ProtobufReader): Raw {
  let name: string | undefined;
  let protocol: string | undefined;
  let port: number | undefined;
  let nodePort: number | undefined;
  while (reader.next()) {
    if (reader.field === 1) name = set(reader.word());
    else if (reader.field === 2) protocol = set(reader.word());
    else if (reader.field === 3) port = reader.int32();
    else if (reader.field === 5) nodePort = set(reader.int32());
    else reader.skip();
  }
  return { name, protocol, port, nodePort };
}

/** core/v1 ServiceStatus */
function serviceStatus(reader: ProtobufReader): Raw {
  let loadBalancer: Raw | undefined;
  const conditions: Raw[] = [];
  while (reader.next()) {
    if (reader.field === 1) loadBalancer = reader.message(loadBalancerStatus);
    else if (reader.field === 2) conditions.push(reader.message(condition));
    else reader.skip();
  }
  return { loadBalancer, conditions };
}

/** core/v1 LoadBalancerStatus */
function loadBalancerStatus(reader: ProtobufReader): Raw {
  const ingress: Raw[] = [];
  while (reader.next()) {
    if (reader.field === 1) ingress.push(reader.message(loadBalancerIngress));
    else reader.skip();
  }
  return { ingress };
}

/** core/v1 LoadBalancerIngress */
function loadBalancerIngress(reader: ProtobufReader): Raw {
  let ip: string | undefined;
  let hostname: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) ip = reader.text();
    else if (reader.field === 2) hostname = reader.text();
    else reader.skip();
  }
  return { ip, hostname };
}

/** meta/v1 Condition */
function condition(reader: ProtobufReader): Raw {
  let type: string | undefined;
  let status: string | undefined;
  let lastTransitionTime: string | undefined;
  let reason: string | undefined;
  let text: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) type = reader.word();
    else if (reader.field === 2) status = reader.word();
    else if (reader.field === 4) lastTransitionTime = reader.message(time);
    else if (reader.field === 5) reason = reader.word();
    else if (reader.field === 6) text = reader.text();
    else reader.skip();
  }
  return { type, status, lastTransitionTime, reason, message: text };
}

/** discovery/v1 Endpoint */
function endpoint(reader: ProtobufReader): Raw {
  const addresses: string[] = [];
  let conditions: Raw | undefined;
  let nodeName: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) addresses.push(reader.text());
    else if (reader.field === 2) conditions = reader.message(endpointConditions);
    else if (reader.field === 6) nodeName = reader.word();
    else reader.skip();
  }
  return { addresses, conditions, nodeName };
}

/** discovery/v1 EndpointConditions; what is not set means something else than false. */
function endpointConditions(reader: ProtobufReader): Raw {
  let ready: boolean | undefined;
  let serving: boolean | undefined;
  let terminating: boolean | undefined;
  while (reader.next()) {
    if (reader.field === 1) ready = reader.bool();
    else if (reader.field === 2) serving = reader.bool();
    else if (reader.field === 3) terminating = reader.bool();
    else reader.skip();
  }
  return { ready, serving, terminating };
}

/** What errorOf reads of a meta/v1 Status. */
export function readStatus(reader: ProtobufReader): object {
  let text: string | undefined;
  let details: object | undefined;
  let code: number | undefined;
  while (reader.next()) {
    if (reader.field === 3) text = reader.text();
    else if (reader.field === 5) details = reader.message(statusDetails);
    else if (reader.field === 6) code = set(reader.int32());
    else reader.skip();
  }
  return { message: text, details, code };
}

function statusDetails(reader: ProtobufReader): object {
  let retryAfterSeconds: number | undefined;
  while (reader.next()) {
    if (reader.field === 5) retryAfterSeconds = reader.int32();
    else reader.skip();
  }
  return { retryAfterSeconds };
}

/** What a page needs of a meta/v1 ListMeta. */
export function readListMeta(reader: ProtobufReader): {
  readonly resourceVersion: string;
  readonly next: string | undefined;
} {
  let resourceVersion = '';
  let next: string | undefined;
  while (reader.next()) {
    if (reader.field === 2) resourceVersion = reader.text();
    else if (reader.field === 3) next = set(reader.text());
    else reader.skip();
  }
  return { resourceVersion, next };
}
