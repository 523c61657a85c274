import { at, type Json, type JsonObject, listAt, objectAt, textAt } from './json.ts';
import type { Kind } from './kinds.ts';

interface Column {
  readonly name: string;
  /** Shown with `-o wide` only. */
  readonly wide?: boolean;
  readonly cell: (object: JsonObject) => Json;
}

const name: Column = { name: 'Name', cell: (object) => textAt(object, 'metadata', 'name') };
const age: Column = {
  name: 'Age',
  cell: (object) => ago(Date.parse(textAt(object, 'metadata', 'creationTimestamp'))),
};

const columns: Readonly<Record<string, readonly Column[]>> = {
  Namespace: [name, { name: 'Status', cell: () => 'Active' }, age],
  Service: [
    name,
    { name: 'Type', cell: (object) => textAt(object, 'spec', 'type') },
    { name: 'Cluster-IP', cell: (object) => textAt(object, 'spec', 'clusterIP') || '<none>' },
    { name: 'External-IP', cell: externalIp },
    { name: 'Port(s)', cell: ports },
    age,
    { name: 'Selector', wide: true, cell: (object) => pairs(objectAt(object, 'spec', 'selector')) },
  ],
  Node: [
    name,
    { name: 'Status', cell: nodeStatus },
    { name: 'Roles', cell: () => '<none>' },
    age,
    {
      name: 'Version',
      cell: (object) => textAt(object, 'status', 'nodeInfo', 'kubeletVersion') || '<unknown>',
    },
    { name: 'Internal-IP', wide: true, cell: (object) => nodeAddress(object, 'InternalIP') },
    { name: 'External-IP', wide: true, cell: (object) => nodeAddress(object, 'ExternalIP') },
  ],
  EndpointSlice: [
    name,
    { name: 'AddressType', cell: (object) => textAt(object, 'addressType') },
    {
      name: 'Ports',
      cell: (object) =>
        listAt(object, 'ports')
          .map((port) => String(at(port, 'port')))
          .join(',') || '<unset>',
    },
    {
      name: 'Endpoints',
      cell: (object) =>
        listAt(object, 'endpoints')
          .flatMap((endpoint) => listAt(endpoint, 'addresses'))
          .join(',') || '<unset>',
    },
    age,
  ],
  Lease: [name, { name: 'Holder', cell: (object) => textAt(object, 'spec', 'holderIdentity') }, age],
  Event: [
    { name: 'Last Seen', cell: (object) => ago(Date.parse(textAt(object, 'lastTimestamp'))) },
    { name: 'Type', cell: (object) => textAt(object, 'type') },
    { name: 'Reason', cell: (object) => textAt(object, 'reason') },
    {
      name: 'Object',
      cell: (object) =>
        `${textAt(object, 'involvedObject', 'kind').toLowerCase()}/${textAt(object, 'involvedObject', 'name')}`,
    },
    { name: 'Message', cell: (object) => textAt(object, 'message') },
  ],
};

/** The answer to kubectl's wish for a Table: what it prints. */
export function table(kind: Kind, objects: readonly JsonObject[], metadata: JsonObject): JsonObject {
  const shown = columns[kind.kind] ?? [name, age];
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: shown.map((column) => ({
      name: column.name,
      type: 'string',
      format: column === name ? 'name' : '',
      description: '',
      priority: column.wide ? 1 : 0,
    })),
    rows: objects.map((object) => ({
      cells: shown.map((column) => column.cell(object)),
      object: {
        kind: 'PartialObjectMetadata',
        apiVersion: 'meta.k8s.io/v1',
        metadata: objectAt(object, 'metadata'),
      },
    })),
  };
}

function externalIp(object: JsonObject): string {
  const ingress = listAt(object, 'status', 'loadBalancer', 'ingress').map(
    (each) => textAt(each, 'ip') || textAt(each, 'hostname'),
  );
  const all = [...ingress, ...listAt(object, 'spec', 'externalIPs')];
  if (all.length > 0) return all.join(',');
  return textAt(object, 'spec', 'type') === 'LoadBalancer' ? '<pending>' : '<none>';
}

function ports(object: JsonObject): string {
  const words = listAt(object, 'spec', 'ports').map((port) => {
    const nodePort = at(port, 'nodePort');
    const both = nodePort === undefined ? `${at(port, 'port')}` : `${at(port, 'port')}:${nodePort}`;
    return `${both}/${textAt(port, 'protocol')}`;
  });
  return words.join(',') || '<none>';
}

function nodeStatus(object: JsonObject): string {
  const ready = listAt(object, 'status', 'conditions').find((each) => textAt(each, 'type') === 'Ready');
  const word = textAt(ready, 'status');
  const status = word === 'True' ? 'Ready' : word === '' ? 'Unknown' : 'NotReady';
  return at(object, 'spec', 'unschedulable') === true ? `${status},SchedulingDisabled` : status;
}

function nodeAddress(object: JsonObject, type: string): string {
  const found = listAt(object, 'status', 'addresses').find((each) => textAt(each, 'type') === type);
  return textAt(found, 'address') || '<none>';
}

function pairs(object: JsonObject): string {
  const words = Object.entries(object).map(([key, value]) => `${key}=${value}`);
  return words.join(',') || '<none>';
}

function ago(since: number): string {
  if (Number.isNaN(since)) return '<unknown>';
  const seconds = Math.max(0, Math.round((Date.now() - since) / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 120) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}
