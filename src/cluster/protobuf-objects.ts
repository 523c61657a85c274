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
  let endpoints: Raw[] | undefined;
  let ports: Raw[] | undefined;
  while (reader.next()) {
    if (reader.field === 1) metadata = reader.message(sliceMetadata);
    else if (reader.field === 2) endpoints = added(endpoints, reader.message(endpoint));
    else if (reader.field === 3) ports = added(ports, reader.message(endpointPort));
    else if (reader.field === 4) addressType = reader.word();
    else reader.skip();
  }
  // In JSON they are always there, and null where there is none.
  return { metadata, addressType, endpoints, ports: ports ?? null };
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

/** meta/v1 ObjectMeta, of which a slice needs little. */
function sliceMetadata(reader: ProtobufReader): Raw {
  let name: string | undefined;
  let namespace: string | undefined;
  let uid: string | undefined;
  let resourceVersion: string | undefined;
  let service: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) name = reader.text();
    else if (reader.field === 3) namespace = reader.word();
    else if (reader.field === 5) uid = reader.text();
    else if (reader.field === 6) resourceVersion = reader.text();
    else if (reader.field === 11) service = reader.message(serviceName) ?? service;
    else reader.skip();
  }
  // Spelt out: V8 makes an object with a computed key in a slower way.
  return { name, namespace, uid, resourceVersion, labels: { 'kubernetes.io/service-name': service } };
}

const serviceLabel = 'kubernetes.io/service-name';

/** @returns the value of the label; undefined: it is another label */
function serviceName(reader: ProtobufReader): string | undefined {
  let isIt = false;
  let value = '';
  while (reader.next()) {
    // Go writes the key first.
    if (reader.field === 1) isIt = reader.word() === serviceLabel;
    else if (reader.field === 2 && isIt) value = reader.text();
    else reader.skip();
  }
  return isIt ? value : undefined;
}

/** meta/v1 ObjectMeta */
function objectMeta(reader: ProtobufReader, keys: MetadataKeys): Raw {
  let name: string | undefined;
  let namespace: string | undefined;
  let uid: string | undefined;
  let resourceVersion: string | undefined;
  let creationTimestamp: string | undefined;
  let deletionTimestamp: string | undefined;
  let labels: Entries | undefined;
  let annotations: Entries | undefined;
  let finalizers: string[] | undefined;
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
        labels = entry(reader, keys.labels, labels);
        break;
      case 12:
        annotations = entry(reader, keys.annotations, annotations);
        break;
      case 14:
        finalizers = added(finalizers, reader.word());
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

/**
 * One entry of a map; its value is not read when nobody wants the key.
 *
 * @param entries those before it
 * @returns those with it
 */
function entry(reader: ProtobufReader, keys: Keys, entries: Entries | undefined): Entries | undefined {
  let key = '';
  let value = '';
  const outer = reader.enter();
  while (reader.next()) {
    // Go writes the key first.
    if (reader.field === 1) key = reader.word();
    else if (reader.field === 2 && (keys === 'all' || keys.has(key))) value = reader.text();
    else reader.skip();
  }
  reader.leave(outer);
  return keys === 'all' || keys.has(key) ? added(entries, [key, value]) : entries;
}

/** A list with one more; undefined: it is the first. V8 has room for 17 in a list that begins empty. */
function added<T>(list: T[] | undefined, item: T): T[] {
  if (list === undefined) return [item];
  list.push(item);
  return list;
}

function mapOf(entries: Entries | undefined): Readonly<Record<string, string>> | undefined {
  return entries && Object.fromEntries(entries);
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
  let taints: Raw[] | undefined;
  while (reader.next()) {
    if (reader.field === 4) unschedulable = reader.bool();
    else if (reader.field === 5) taints = added(taints, reader.message(taint));
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
  let conditions: Raw[] | undefined;
  let addresses: Raw[] | undefined;
  while (reader.next()) {
    if (reader.field === 4) conditions = added(conditions, reader.message(nodeCondition));
    else if (reader.field === 5) addresses = added(addresses, reader.message(nodeAddress));
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
  let ports: Raw[] | undefined;
  let selector: Entries | undefined;
  let clusterIP: string | undefined;
  let clusterIPs: string[] | undefined;
  let type: string | undefined;
  let externalIPs: string[] | undefined;
  let sessionAffinity: string | undefined;
  let loadBalancerIP: string | undefined;
  let loadBalancerSourceRanges: string[] | undefined;
  let externalTrafficPolicy: string | undefined;
  let healthCheckNodePort: number | undefined;
  let ipFamilyPolicy: string | undefined;
  let loadBalancerClass: string | undefined;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        ports = added(ports, reader.message(servicePort));
        break;
      case 2:
        selector = entry(reader, 'all', selector);
        break;
      case 3:
        clusterIP = reader.text();
        break;
      case 4:
        type = set(reader.word());
        break;
      case 5:
        externalIPs = added(externalIPs, reader.text());
        break;
      case 7:
        sessionAffinity = reader.word();
        break;
      case 8:
        loadBalancerIP = reader.text();
        break;
      case 9:
        loadBalancerSourceRanges = added(loadBalancerSourceRanges, reader.text());
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
        clusterIPs = added(clusterIPs, reader.text());
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
  let conditions: Raw[] | undefined;
  while (reader.next()) {
    if (reader.field === 1) loadBalancer = reader.message(loadBalancerStatus);
    else if (reader.field === 2) conditions = added(conditions, reader.message(condition));
    else reader.skip();
  }
  return { loadBalancer, conditions };
}

/** core/v1 LoadBalancerStatus */
function loadBalancerStatus(reader: ProtobufReader): Raw {
  let ingress: Raw[] | undefined;
  while (reader.next()) {
    if (reader.field === 1) ingress = added(ingress, reader.message(loadBalancerIngress));
    else reader.skip();
  }
  return { ingress };
}

/** core/v1 LoadBalancerIngress */
function loadBalancerIngress(reader: ProtobufReader): Raw {
  let ip: string | undefined;
  let hostname: string | undefined;
  let ipMode: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) ip = reader.text();
    else if (reader.field === 2) hostname = reader.text();
    else if (reader.field === 3) ipMode = reader.word();
    else reader.skip();
  }
  return { ip, hostname, ipMode };
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
  let addresses: string[] | undefined;
  let conditions: Raw | undefined;
  let nodeName: string | undefined;
  while (reader.next()) {
    if (reader.field === 1) addresses = added(addresses, reader.text());
    else if (reader.field === 2) conditions = reader.message(endpointConditions);
    else if (reader.field === 6) nodeName = reader.word();
    else reader.skip();
  }
  return { addresses, conditions, nodeName };
}

/** discovery/v1 EndpointPort; a number that is not set is no 0 */
function endpointPort(reader: ProtobufReader): Raw {
  let port: number | undefined;
  while (reader.next()) {
    if (reader.field === 3) port = reader.int32();
    else reader.skip();
  }
  return { port };
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
