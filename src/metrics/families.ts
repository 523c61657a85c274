import type { Counts } from '../model/object.ts';
import type { NodeStatus } from '../status/nodes.ts';
import type { State } from '../status/state.ts';
import type { AnnounceStatus, FamilyAnnounceStatus } from '../status/status.ts';
import { type Family, ofGateway, one, type Sample, seconds } from './family.ts';

const states: readonly State[] = ['OK', 'DEGRADED', 'FROZEN', 'NOT SYNCED'];

/** By node, and not by EIP: a gateway may have 100,000 of those, and each would be a series. */
const nodeFamilies: readonly Family[] = [
  ofGateway(
    'gauge',
    'eiproute_node_up',
    '1 when the node answers ARP or NDP; absent as long as nothing was sent to it',
    ['node'],
    ({ nodes }) =>
      nodes.flatMap((node) => (node.answers === 'unknown' ? [] : [of(node, node.answers === 'yes')])),
  ),
  ofGateway('gauge', 'eiproute_node_ready', '1 when Kubernetes calls the node Ready', ['node'], ({ nodes }) =>
    nodes.map((node) => of(node, node.ready)),
  ),
  ofGateway(
    'gauge',
    'eiproute_node_neighbour_state',
    "1 for the state of the node's entry in the neighbour table, in the kernel's words",
    ['node', 'state'],
    ({ nodes }) =>
      nodes.flatMap(({ name, neighbour }): readonly Sample[] =>
        neighbour === undefined ? [] : [[{ node: name, state: neighbour }, 1]],
      ),
  ),
];

const eipFamilies: readonly Family[] = [
  ofGateway(
    'gauge',
    'eiproute_eips_wanted',
    'EIPs that a Service holds and some node can serve',
    [],
    ({ eips }) => one(eips.wanted),
  ),
  ofGateway(
    'gauge',
    'eiproute_eips',
    'EIPs by state: routed, conflict, refused, held, dark (to no node that answers), shadowed (the kernel takes another route), idle (no node serves it)',
    ['state'],
    ({ eips: { wanted: _, ...states } }) =>
      Object.entries(states).map(([state, count]): Sample => [{ state }, count]),
  ),
];

const announceFamilies: readonly Family[] = [
  ofGateway(
    'gauge',
    'eiproute_announced_eips',
    'EIPs that are announced, by BGP or by layer 2, by family; absent where nothing is',
    ['family'],
    ({ announce }) => ofFamilies(announce, ({ eips }) => eips),
  ),
  ofGateway(
    'gauge',
    'eiproute_announcing',
    '1 when the gateway announces, 0 while it is draining, standby or without a LAN, by family',
    ['family'],
    ({ announce }) => ofFamilies(announce, ({ state }) => Number(state === 'announced')),
  ),
  ofGateway(
    'gauge',
    'eiproute_claimed_eips',
    'EIPs that another host of the segment claims by ARP or NDP now; absent without announce: layer2',
    [],
    ({ announce }) => one(announce?.claimed),
  ),
  ofGateway(
    'counter',
    'eiproute_eip_claims_total',
    'Packets in which other hosts have claimed an EIP of announce: layer2, by ARP or NDP',
    [],
    ({ announce }) => one(announce?.claims ?? 0),
  ),
];

const natFamilies: readonly Family[] = [
  ofGateway(
    'gauge',
    'eiproute_conntrack_entries',
    'Connections that the kernel keeps in mind; absent without mode nat',
    [],
    ({ conntrack }) => one(conntrack?.entries),
  ),
  ofGateway(
    'gauge',
    'eiproute_conntrack_limit',
    'nf_conntrack_max: beyond it new connections are dropped; absent without mode nat',
    [],
    ({ conntrack }) => one(conntrack?.limit),
  ),
];

const poolFamilies: readonly Family[] = [
  ofGateway(
    'gauge',
    'eiproute_pool_addresses',
    'Addresses that the pool has to give; absent with 2^53 or more',
    ['pool', 'family'],
    ({ pools }) =>
      pools.flatMap(({ name, family, size }): readonly Sample[] =>
        size === null ? [] : [[{ pool: name, family: String(family) }, size]],
      ),
  ),
  ofGateway(
    'gauge',
    'eiproute_pool_addresses_in_use',
    'Addresses of the pool that Services hold; a shared one counts once',
    ['pool', 'family'],
    ({ pools }) =>
      pools.map(({ name, family, used }): Sample => [{ pool: name, family: String(family) }, used]),
  ),
  ofGateway(
    'gauge',
    'eiproute_pool_waiting_services',
    'Services that wait for an address; absent where another gateway or program gives them',
    [],
    ({ waiting }) => one(waiting),
  ),
  ofGateway(
    'gauge',
    'eiproute_leader',
    '1 on the gateway that holds the Lease and gives addresses there; absent without a Lease',
    ['cluster'],
    ({ leases }) =>
      leases.map(({ cluster, leads }): Sample => [cluster === undefined ? {} : { cluster }, Number(leads)]),
  ),
  ofGateway(
    'counter',
    'eiproute_lease_transitions_total',
    'How often the Lease went from one gateway to another; absent without a Lease',
    [],
    (_, { leaseTransitions }) => one(leaseTransitions),
  ),
];

const stateFamilies: readonly Family[] = [
  {
    name: 'eiproute_build_info',
    type: 'gauge',
    help: 'Always 1: the version and the role',
    labels: ['version', 'role'],
    of: 'both',
    read: ({ figures: { release, role } }) => [[{ version: release, role }, 1]],
  },
  {
    name: 'eiproute_synced',
    type: 'gauge',
    help: '1 when the state is OK: the word of `eiproute status`',
    labels: [],
    of: 'both',
    read: ({ figures: { state } }) => one(state === 'OK'),
  },
  {
    name: 'eiproute_state',
    type: 'gauge',
    help: '1 for the present state: ok, degraded, frozen or not_synced',
    labels: ['state'],
    of: 'both',
    read: ({ figures }) =>
      states.map(
        (state): Sample => [
          { state: state.toLowerCase().replace(' ', '_') },
          Number(state === figures.state),
        ],
      ),
  },
  {
    name: 'eiproute_problems',
    type: 'gauge',
    help: 'Problems that are open: error (a part of the work is not done), warn (a person may want to act)',
    labels: ['severity'],
    of: 'both',
    read: ({ figures: { problems } }) =>
      Object.entries(problems).map(([severity, count]): Sample => [{ severity }, count]),
  },
  {
    name: 'eiproute_conflicts',
    type: 'gauge',
    help: 'Objects whose place another program holds in the kernel',
    labels: [],
    of: 'both',
    read: ({ figures: { conflicts } }) => one(conflicts),
  },
  {
    name: 'eiproute_refused_changes',
    type: 'gauge',
    help: 'Changes that the kernel refuses',
    labels: [],
    of: 'both',
    read: ({ figures: { refused } }) => one(refused),
  },
  {
    name: 'eiproute_held_changes',
    type: 'gauge',
    help: 'Changes that wait, such as deletes that the guard holds',
    labels: [],
    of: 'both',
    read: ({ figures: { held } }) => one(held),
  },
  {
    name: 'eiproute_kernel_objects',
    type: 'gauge',
    help: 'Objects of the kernel by kind: wanted, and installed as wanted',
    labels: ['kind', 'state'],
    of: 'both',
    read: ({ figures: { wanted, installed } }) => [
      ...objects('wanted', wanted),
      ...objects('installed', installed),
    ],
  },
];

const workFamilies: readonly Family[] = [
  ofGateway(
    'gauge',
    'eiproute_api_last_heard_timestamp_seconds',
    'When the source of the cluster was heard last, by resource; absent: never',
    ['resource', 'cluster'],
    ({ heard }, { clockSet }) =>
      heard.flatMap(({ cluster, resource, at }): readonly Sample[] => {
        if (at === undefined) return [];
        return [[cluster === undefined ? { resource } : { resource, cluster }, (at + clockSet) / 1000]];
      }),
  ),
  ofGateway(
    'gauge',
    'eiproute_credentials_expiry_timestamp_seconds',
    'When the client certificate or token for the API ends; absent where neither says so',
    [],
    (_, { credentialsEnd }) => one(seconds(credentialsEnd)),
  ),
  {
    name: 'eiproute_config_reload_success',
    type: 'gauge',
    help: '0 when the last reload was refused, and the old configuration is still in force',
    labels: [],
    of: 'both',
    read: ({ reload }) => one(!reload.refused),
  },
  {
    name: 'eiproute_config_reload_timestamp_seconds',
    type: 'gauge',
    help: 'When the configuration in force was read',
    labels: [],
    of: 'both',
    read: ({ reload }) => one(seconds(reload.taken)),
  },
  {
    name: 'eiproute_repairs_total',
    type: 'counter',
    help: 'Objects put back after another program had changed or removed them, by kind',
    labels: ['kind'],
    of: 'both',
    read: ({ tally }) => [...tally.repairs].map(([kind, count]): Sample => [{ kind }, count]),
  },
  {
    name: 'eiproute_kernel_changes_total',
    type: 'counter',
    help: 'Changes of the kernel that succeeded, by kind and verb (add, replace, delete)',
    labels: ['kind', 'verb'],
    of: 'both',
    read: ({ tally }) =>
      [...tally.changes].flatMap(([kind, counts]) =>
        Object.entries(counts).map(([verb, count]): Sample => [{ kind, verb }, count]),
      ),
  },
  {
    name: 'eiproute_last_round_timestamp_seconds',
    type: 'gauge',
    help: 'When the last round began that could read the kernel; there is one a minute at least',
    labels: [],
    of: 'both',
    read: ({ figures: { round }, clockSet }) =>
      one(round === undefined ? undefined : (round + clockSet) / 1000),
  },
  {
    name: 'eiproute_node_gateway_up',
    type: 'gauge',
    help: '1 when the gateway answers ARP or NDP, so that replies can go through it',
    labels: ['gateway'],
    of: 'node',
    read: ({ figures: { gateways } }) =>
      gateways.map(({ address, mac }): Sample => [{ gateway: address }, Number(mac !== undefined)]),
  },
];

const processFamilies: readonly Family[] = [
  process('counter', 'process_cpu_seconds_total', 'Processor time, user and system', (p) => p.cpuSeconds),
  process('gauge', 'process_resident_memory_bytes', 'Resident memory', (p) => p.residentBytes),
  process('gauge', 'process_open_fds', 'Open file descriptors', (p) => p.openFiles),
  process('gauge', 'process_start_time_seconds', 'When the process began', (p) => p.started / 1000),
  process('gauge', 'nodejs_heap_size_used_bytes', "V8's heap in use", (p) => p.heapBytes),
  process(
    'counter',
    'nodejs_eventloop_active_seconds_total',
    'Time in which the event loop worked; its rate is 1 when there is no rest',
    (p) => p.activeSeconds,
  ),
];

/** Every metric but the two histograms, in the order of docs/metrics.md. */
export const families: readonly Family[] = [
  ...stateFamilies,
  ...eipFamilies,
  ...nodeFamilies,
  ...announceFamilies,
  ...natFamilies,
  ...poolFamilies,
  ...workFamilies,
  ...processFamilies,
];

/** The two histograms, in seconds. */
export const histograms = [
  {
    name: 'eiproute_round_duration_seconds',
    help: 'How long a round took, by whether it dumped the kernel',
    labels: ['dump'],
  },
  {
    name: 'eiproute_event_to_kernel_seconds',
    help: 'From an event of the cluster to the acknowledgement of the last change that follows from it',
    labels: [],
  },
] as const;

/** Upper bounds of the buckets of both, in seconds. */
export const buckets: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5,
];

function of({ name }: NodeStatus, value: boolean): Sample {
  return [{ node: name }, Number(value)];
}

function ofFamilies(
  announce: AnnounceStatus | undefined,
  value: (family: FamilyAnnounceStatus) => number,
): readonly Sample[] {
  return (['4', '6'] as const).flatMap((family): readonly Sample[] => {
    const found = family === '4' ? announce?.ipv4 : announce?.ipv6;
    return found === undefined ? [] : [[{ family }, value(found)]];
  });
}

function objects(state: string, counts: Counts | undefined): readonly Sample[] {
  return Object.entries(counts ?? {}).map(([kind, count]): Sample => [{ kind, state }, count]);
}

function process(
  type: Family['type'],
  name: string,
  help: string,
  read: (figures: Parameters<Family['read']>[0]['process']) => number,
): Family {
  return { name, type, help, labels: [], of: 'both', read: (sources) => one(read(sources.process)) };
}
