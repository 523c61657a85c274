import { type Facts, list, text } from './facts.ts';

/** One kind of record: its id in journald, and its sentence for a person. */
export interface Event {
  /** MESSAGE_ID. It must not change: the catalog (systemd/eiproute.catalog) and scripts refer to it. */
  readonly id: string;
  /** undefined: by the level. */
  readonly priority?: number;
  readonly say: (facts: Facts) => string;
}

/** Priority of changes that people search for. */
const notice = 5;

/** The events of the journal; every record of the daemon is one of them. */
export const events = {
  started: {
    id: '0437932592ad4c1faae02d88feb8d10c',
    say: (f) =>
      `eiproute ${text(f, 'release')} started: nodes on ${text(f, 'lan')}, world on ${text(f, 'uplink')}, routes of protocol ${text(f, 'protocol')}`,
  },
  'node-started': {
    id: 'e99f68f3142ffb6a9465184d1e0ac095',
    say: (f) =>
      `eiproute ${text(f, 'release')} started on a node: answering on ${text(f, 'interface')} through ${list(f, 'gateways')}, rules of protocol ${text(f, 'protocol')}`,
  },
  'names-written': {
    id: '1f59930ec171e5406959459fe5cbe49b',
    say: (f) => `names for iproute2 are in ${list(f, 'files')}`,
  },
  'names-refused': {
    id: '7778e66e07fc95aad966743c5e205565',
    say: (f) => `names for iproute2 could not be written (${text(f, 'error')}); ip shows numbers`,
  },
  stopped: {
    id: '0061d3c9f0224d2facd6ca7587c27ebb',
    say: () => 'stopped; routes and settings stay as they are',
  },
  'eip-assigned': {
    id: 'b91cb3fbf00f4682996c641cabb85ce9',
    priority: notice,
    say: (f) => `${list(f, 'service')} gets ${list(f, 'eip')} from pool ${text(f, 'pool')}`,
  },
  'eip-taken-back': {
    id: '92bd12ac49ed47b8a6d2c927ec31655d',
    priority: notice,
    say: (f) => `${list(f, 'service')} has no address of a pool any more`,
  },
  'eips-assigned': {
    id: '53dfda63dee44579939d2397fca23a40',
    priority: notice,
    say: (f) => `${text(f, 'more')} more Services got or lost addresses`,
  },
  'eip-routed': {
    id: '55230847292449c69b301af38956e6be',
    priority: notice,
    say: (f) => `${text(f, 'eip')} (${list(f, 'service')}) is routed to ${someOf(f, 'node', 'moreNodes')}`,
  },
  'eip-moved': {
    id: 'd9a643eae52e45d682ad6cc209188cd5',
    priority: notice,
    say: (f) =>
      `${text(f, 'eip')} (${list(f, 'service')}) is now routed to ${moveWords(f)}${leavingWords(f)}`,
  },
  'eip-withdrawn': {
    id: '7050dec781094babbd1dd9240c37e0db',
    priority: notice,
    say: (f) => `${text(f, 'eip')} is no longer routed: no Service holds it, or no node can serve it`,
  },
  'eip-repaired': {
    id: 'bac8f681fc844325b321c5fc08c8254a',
    say: (f) =>
      `${text(f, 'eip')} (${list(f, 'service')}): its route was changed or removed by another program; it is restored`,
  },
  'object-repaired': {
    id: '8612bcbc678740f5b3ab507cbfaae7ab',
    say: (f) => `${text(f, 'object')} was changed or removed by another program; it is restored`,
  },
  'eips-changed': {
    id: '2615fbb920b64dd3820876d210a8ef82',
    priority: notice,
    say: (f) => `${text(f, 'more')} more EIPs changed in the same round`,
  },
  'node-drains': {
    id: '75cd0835a7564bafb318af4a9ac79b1c',
    priority: notice,
    say: (f) => {
      const still = text(f, 'still') === '' ? 'gets no new flows' : 'still gets no new flows';
      return `node ${text(f, 'node')} ${still} while another node can serve: ${text(f, 'why')}`;
    },
  },
  'node-drained': {
    id: '146c4f863db04fbfa6a7672eddcb6efd',
    priority: notice,
    say: (f) =>
      `node ${text(f, 'node')} gets no flows any more while another node can serve: the time to drain is over (${text(f, 'why')})`,
  },
  'node-undrained': {
    id: '25ca33f3b7024d5fb7dfa9ee4d0f05bd',
    priority: notice,
    say: (f) => {
      const but = text(f, 'but');
      return `node ${text(f, 'node')} no longer drains (${text(f, 'why')}): ${but === '' ? 'it gets new flows again' : but}`;
    },
  },
  'more-drains': {
    id: '3d2bb5d3c3d947b78a9725dc18329026',
    priority: notice,
    say: (f) => `${text(f, 'more')} more nodes began or ceased to drain; "eiproute status --json" lists them`,
  },
  round: {
    id: 'cf8d463b557c442382eb208410353e7f',
    say: (f) =>
      `reconciled (${list(f, 'why')}): ${text(f, 'done')} ${text(f, 'done') === '1' ? 'change' : 'changes'} in ${text(f, 'ms')} ms, round ${text(f, 'round')}`,
  },
  announcing: {
    id: 'dd2c27ea6f2a41e4b0f96f2e0a52ac07',
    priority: notice,
    say: (f) => {
      const of = (name: string, state: string): readonly string[] =>
        state === '' ? [] : [`${name} ${state}`];
      const states = [...of('IPv4', text(f, 'ipv4')), ...of('IPv6', text(f, 'ipv6'))];
      const table = text(f, 'announceTable');
      const segment = text(f, 'segment');
      const ways = [
        ...(table === '' ? [] : [`in table ${table}`]),
        ...(segment === '' ? [] : [`on ${segment}`]),
      ];
      return `announcements: ${states.join(', ')}; ${text(f, 'eips')} EIPs ${ways.join(' and ')}`;
    },
  },
  'lists-complete': {
    id: 'e0f784f5472442c0a4312048450c5a36',
    say: (f) => `all lists of the cluster are in; ${text(f, 'routes')} routes wanted`,
  },
  'state-changed': {
    id: 'caa7b9d2c5aa40ea9607390224d04014',
    say: (f) => `${text(f, 'state')}: ${text(f, 'summary')}`,
  },
  'cluster-silent': {
    id: 'eb39325b538f4dad90539356595553f7',
    say: (f) =>
      `cannot read ${list(f, 'resource')} from ${clusterWords(f)}: ${text(f, 'trouble')}; ${text(f, 'lastHeard') === 'never' ? 'never heard so far' : `last heard ${text(f, 'lastHeard')}`}; existing routes are kept`,
  },
  'cluster-back': {
    id: '8bd248533ba44f57a2c4a0ed02c7ee14',
    say: (f) => `${list(f, 'resource')} can be read from ${clusterWords(f)} again`,
  },
  'kernel-unreadable': {
    id: '014f89a6e7e3405883073bd9764c2035',
    say: (f) => `cannot read the kernel: ${text(f, 'error')}; routes stay as they are, and it is tried again`,
  },
  'kernel-readable': {
    id: 'a9530455f0af466e9c9639101d557ef5',
    say: () => 'the kernel can be read again',
  },
  refused: {
    id: 'bd62f358015749f89ecd027d25c33f6e',
    say: (f) =>
      `the kernel refuses ${text(f, 'object')} (${text(f, 'for')}): ${text(f, 'error')}; it is tried again`,
  },
  conflict: {
    id: '23f6e7ead4a04d16aa47fbc11e426756',
    say: (f) =>
      `${text(f, 'object')} (${text(f, 'for')}) cannot be installed: another program has ${text(f, 'holder')} in its place; delete that one, and eiproute installs its own`,
  },
  held: {
    id: '4c2f5beec03d4e59b45c05e94299d1d8',
    say: (f) =>
      `${text(f, 'held')} deletes at once are more than guard.share allows (${text(f, 'first')} is the first): paused until ${text(f, 'until')}; "eiproute release --show" lists them, "eiproute release" lets them go`,
  },
  problem: {
    id: 'e31d8538f40745418ed45b65d0e0f244',
    say: (f) => `${text(f, 'problem')}; ${text(f, 'advice')}`,
  },
  solved: {
    id: '6aef4c5819fd4c958fefb0881ecf88f5',
    say: (f) => `resolved: ${text(f, 'problem') || text(f, 'was')}`,
  },
  'more-findings': {
    id: 'ff1818a6733b400b8cc0930dac36be6f',
    say: (f) => `${text(f, 'more')} more of the same kind (${text(f, 'code')}); "eiproute status" lists them`,
  },
  'more-solved': {
    id: 'f5f0c44b62f34004b4b6f5d0c3231e8f',
    say: (f) => `${text(f, 'more')} more are resolved`,
  },
  'config-reloaded': {
    id: 'baf4190fd1024556b74a997528e92b32',
    say: (f) => {
      const changed = list(f, 'changed');
      return changed === ''
        ? 'configuration reloaded; nothing has changed'
        : `configuration reloaded; changed: ${changed}`;
    },
  },
  'config-warning': {
    id: 'bf092fb2c85f49e9af05d2b696402711',
    say: (f) => text(f, 'warning'),
  },
  'config-refused': {
    id: 'b76eb317e0ab4ad995bac079cace8017',
    say: (f) => {
      const keys = list(f, 'keys');
      return keys === ''
        ? 'the new configuration is wrong, see above; the old one stays in force'
        : `${keys}: a change needs "systemctl restart"; the old configuration stays in force`;
    },
  },
  released: {
    id: 'c76307b4105a427f9b35e9ef8b8ced5e',
    say: (f) => {
      const eips = list(f, 'eip');
      return `an operator released ${eips === '' ? 'the held deletes' : `the held delete of ${eips}`}`;
    },
  },
  'records-lost': {
    id: '97856b0772654f6aa8eee3aa48485c8f',
    say: (f) => `${text(f, 'lost')} records of the journal were lost: ${text(f, 'error')}`,
  },
  'records-left-out': {
    id: '7cfa5edebe0f44c88c9c0c5e7165a7fa',
    priority: notice,
    say: (f) =>
      `${text(f, 'more')} more records of the kind "${text(f, 'kind')}" in ${text(f, 'seconds')} s were left out; "eiproute status" says how it is now`,
  },
  'notify-failed': {
    id: '41d9f91772b447dfb0dfa4e580d6703d',
    say: (f) => `cannot notify systemd: ${text(f, 'error')}`,
  },
} as const satisfies Readonly<Record<string, Event>>;

export type EventName = keyof typeof events;

export function isEventName(name: unknown): name is EventName {
  return typeof name === 'string' && Object.hasOwn(events, name);
}

/** `n1, n2 and 90 more` */
function someOf(f: Facts, name: string, more: string): string {
  const count = text(f, more);
  return `${list(f, name)}${count === '' ? '' : ` and ${count} more`}`;
}

/** Of many nodes, those that came and went. */
function moveWords(f: Facts): string {
  const nodes = text(f, 'nodes');
  if (nodes === '') return `${list(f, 'node')}; before, to ${list(f, 'from')}`;
  const [came, went] = [someOf(f, 'node', 'moreNodes'), someOf(f, 'from', 'moreFrom')];
  const changes = [...(came === '' ? [] : [`with ${came}`]), ...(went === '' ? [] : [`without ${went}`])];
  return `${nodes} nodes, ${changes.length === 0 ? 'the same as before' : changes.join(' and ')}`;
}

function leavingWords(f: Facts): string {
  const some = someOf(f, 'leaving', 'moreLeaving');
  return some === '' ? '' : `; ${some}: last endpoints end, only the flows that are there stay`;
}

/** The one cluster has no name. */
function clusterWords(f: Facts): string {
  return f['cluster'] === undefined ? 'the cluster' : `cluster ${text(f, 'cluster')}`;
}
