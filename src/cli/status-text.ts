import { printable } from '../model/text.ts';
import type { EipStatus } from '../status/eips.ts';
import { type Need, some } from '../status/need.ts';
import type { NodeStatus } from '../status/nodes.ts';
import { counted, type State, span } from '../status/state.ts';
import type {
  AnnounceStatus,
  AnyStatus,
  GatewayStatus,
  NodeAgentStatus,
  PoolUse,
  PublishStatus,
} from '../status/status.ts';
import type { Paint } from './paint.ts';

/** Of what needs a person, so much is shown; JSON has all. */
const mostNeeds = 20;
const mostNodes = 4;
const label = 9;

/** What `eiproute status` prints: the state, what there is, and what needs a person. */
export function statusText(status: AnyStatus, paint: Paint): string {
  const rows = status.role === 'gateway' ? gatewayRows(status) : nodeRows(status);
  const lines = [
    headline(status, paint),
    '',
    ...rows.map(([name, text]) => printable(`${name.padEnd(label)} ${text}`)),
    ...needLines(status, paint),
  ];
  return lines.map((line) => `${line}\n`).join('');
}

export function headline({ state, summary }: { state: State; summary: string }, paint: Paint): string {
  return `${paint(state, colourOf(state))}: ${printable(summary)}`;
}

function colourOf(state: State): 'green' | 'yellow' | 'red' {
  if (state === 'OK') return 'green';
  return state === 'DEGRADED' ? 'red' : 'yellow';
}

type Row = readonly [name: string, text: string];

function gatewayRows(status: GatewayStatus): readonly Row[] {
  const { eips, lease, pools } = status;
  const rows: Row[] = [
    ['Gateway', about(status)],
    ['EIPs', eipsText(eips)],
    ['Nodes', nodesText(status.nodes, Date.parse(status.now))],
    ...agentRows(status.nodes),
    ...sourceRows(status),
  ];
  if (lease !== undefined) rows.push(['Lease', leaseText(lease)]);
  if (status.announce !== undefined)
    rows.push(['Announce', announceText(status.announce, Date.parse(status.now))]);
  if (status.publish !== undefined) rows.push(['Publish', publishText(status.publish)]);
  rows.push(['Kernel', kernelText(status)]);
  rows.push(...lookupTexts(status.lookup).map((text): Row => ['Lookup', text]));
  if (pools.length > 0) rows.push(['Pools', poolsText(pools, status.waiting)]);
  return rows;
}

function nodeRows(status: NodeAgentStatus): readonly Row[] {
  return [
    ['Node', about(status)],
    ['EIPs', status.networks.length === 0 ? 'networks not known yet' : some(status.networks)],
    ...status.gateways.map(
      ({ address, mac, table, mark }): Row => [
        'Gateway',
        `${address}${whose(status, address)} ${mac === undefined ? 'does not answer' : `is at ${mac}`}, table ${table}, mark ${mark}`,
      ],
    ),
    ['Kernel', kernelText(status)],
  ];
}

/** The name of a gateway that is followed, and its state where it is not active. */
function whose({ followed }: NodeAgentStatus, address: string): string {
  const gateway = followed?.find(({ addresses }) => addresses.includes(address));
  if (gateway === undefined) return '';
  return ` (${gateway.name}${gateway.state === 'active' ? '' : `, ${gateway.state}`})`;
}

function about({ host, release, started, now, config }: AnyStatus): string {
  const up = span(Date.parse(now) - Date.parse(started));
  return `${host}, eiproute ${release}, up ${up}${config === undefined ? '' : `, ${config}`}`;
}

function eipsText(eips: GatewayStatus['eips']): string {
  const { wanted, routed, conflict, refused, held, dark, shadowed, idle } = eips;
  return columns([
    `${routed} of ${wanted} routed`,
    ...counts([
      [conflict, 'CONFLICT'],
      [refused, 'REFUSED'],
      [held, 'HELD'],
      [dark, 'without a node that answers'],
      [shadowed, 'that another route or a rule takes'],
      [idle, 'that no node can serve'],
    ]),
  ]);
}

/** Of which EIPs it is not known, or not always, whether the kernel takes their routes. */
export function lookupTexts(notes: GatewayStatus['lookup']): readonly string[] {
  return (notes ?? []).map(({ family, why }) =>
    family === undefined
      ? `whether the kernel takes the routes of EIPs is asked in turn: ${why}`
      : `whether the kernel takes the routes of IPv${family} EIPs is not asked: ${why}`,
  );
}

function counts(pairs: readonly (readonly [count: number, what: string])[]): readonly string[] {
  return pairs.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
}

function isDraining(traffic: NodeStatus['traffic']): boolean {
  return traffic === 'draining' || traffic === 'drained';
}

function nodesText(nodes: readonly NodeStatus[], now: number): string {
  const carriers = nodes.filter(({ addresses }) => addresses.length > 0);
  const unasked = carriers.filter(({ answers }) => answers === 'unknown').length;
  const asked = carriers.length - unasked;
  const answering = carriers.filter(({ answers }) => answers === 'yes').length;
  const ill = carriers.filter(
    ({ answers, ready, traffic, leaving }) =>
      answers === 'no' || !ready || isDraining(traffic) || leaving > 0,
  );
  const shown = ill
    .slice(0, mostNodes)
    .map(({ name, neighbour, silentSince, ready, traffic, why, leaving }) => {
      const words: string[] = [];
      if (silentSince !== undefined)
        words.push(`${neighbour ?? 'silent'} for ${span(now - Date.parse(silentSince))}`);
      if (!ready) words.push('not Ready');
      if (isDraining(traffic)) words.push(`${traffic}: ${why}`);
      if (leaving > 0) words.push(`${counted(leaving, 'EIP')} ${leaving === 1 ? 'leaves' : 'leave'} it`);
      return `${name} ${words.join(', ')}`;
    });
  if (ill.length > mostNodes) shown.push(`${ill.length - mostNodes} more`);
  return columns([
    ...(asked > 0 || carriers.length === 0 ? [`${answering} of ${asked} answer`] : []),
    ...(unasked > 0 ? [`${unasked} without traffic so far`] : []),
    ...shown,
  ]);
}

/** None where no agent tells anything: then nothing is known of them. */
function agentRows(nodes: readonly NodeStatus[]): readonly Row[] {
  const carriers = nodes.filter(({ addresses }) => addresses.length > 0);
  const told = carriers.filter(({ agent }) => agent !== undefined).length;
  if (told === 0) return [];
  const silent = carriers.length - told;
  const rest = silent === 0 ? '' : `; of ${silent} it is not known`;
  return [['Agents', `${told} of ${carriers.length} tell what they serve${rest}`]];
}

/** One row, or those of each cluster. */
function sourceRows(status: GatewayStatus): readonly Row[] {
  const { clusters, feeds, source, now } = status;
  if (clusters === undefined)
    return [[source.kind === 'file' ? 'File' : 'API', sourceText({ feeds, address: source.address, now })]];
  return clusters.flatMap((one): readonly Row[] => {
    const { name, state, remembered, address, lease, publish } = one;
    const own = feeds.filter(({ cluster }) => cluster === name);
    const frozen = state === 'OK' ? '' : `${state}, `;
    const from = remembered ? ', routed as last known' : '';
    return [
      ['Cluster', `${name}: ${frozen}${sourceText({ feeds: own, address, now })}${from}`],
      ['', `${counted(one.nodes, 'node')}, ${counted(one.eips, 'EIP')} routed there`],
      ...(lease === undefined ? [] : [['', `Lease ${leaseText(lease)}`] as const]),
      ...(publish === undefined ? [] : [['', publishText(publish)] as const]),
    ];
  });
}

interface SourceFacts extends Pick<GatewayStatus, 'feeds' | 'now'> {
  readonly address: string | undefined;
}

function sourceText({ feeds, address: at, now }: SourceFacts): string {
  const address = at === undefined ? '' : ` (${at})`;
  const heard = feeds.map((feed) => (feed.heard === undefined ? 0 : Date.parse(feed.heard)));
  const last = Math.min(...heard);
  const when = last === 0 ? 'not heard yet' : `heard ${span(Date.parse(now) - last)} ago`;
  const failing = feeds.filter(({ trouble }) => trouble !== undefined);
  if (failing.length === 0) return `${last === 0 ? '' : 'ok, '}${when}${address}`;
  return `no answer about ${failing.map(({ resource }) => resource).join(', ')}, ${when}${address}`;
}

function announceText({ ipv4, ipv6, drainingSince, ...announce }: AnnounceStatus, now: number): string {
  const part = (name: string, family: AnnounceStatus['ipv4']): readonly string[] => {
    if (family === undefined) return [];
    const { state, eips } = family;
    return [`${name} ${state === 'announced' ? `announced, ${counted(eips, 'EIP')}` : state}`];
  };
  const since = drainingSince === undefined ? [] : [`drained for ${span(now - Date.parse(drainingSince))}`];
  const table = announce.table === undefined ? [] : [`table ${announce.table}`];
  const claimed = announce.claimed ? `, ${counted(announce.claimed, 'EIP')} claimed by others` : '';
  const segment = announce.segment === undefined ? [] : [`layer 2 on ${announce.segment}${claimed}`];
  return columns([...part('IPv4', ipv4), ...part('IPv6', ipv6), ...table, ...segment, ...since]);
}

function publishText({ configMap, name, state, why }: PublishStatus): string {
  if (state === 'published') return `as ${name} in ConfigMap ${configMap}`;
  return `${state} in ConfigMap ${configMap}${why === undefined ? '' : `: ${why}`}`;
}

function leaseText({ leads, holder }: NonNullable<GatewayStatus['lease']>): string {
  if (leads) return 'held by this gateway, which gives addresses';
  return holder === undefined ? 'held by nobody' : `held by ${holder}; this gateway only routes`;
}

function kernelText({ wanted, installed, repairs, round, now }: AnyStatus): string {
  if (wanted === undefined || installed === undefined || round === undefined) return 'not read yet';
  const sum = (of: object): number =>
    Object.values(of).reduce((total: number, count: number) => total + count, 0);
  const { count, last } = repairs;
  const repaired =
    last === undefined ? [] : [`${count} repaired, last ${span(Date.parse(now) - Date.parse(last))} ago`];
  return columns([`${sum(installed)} of ${counted(sum(wanted), 'object')}`, ...repaired]);
}

function poolsText(pools: readonly PoolUse[], waiting: number | undefined): string {
  const parts = pools.map(({ name, family, size, used }) => {
    const of = family === 6 ? `${name} IPv6` : name;
    // Nobody counts the addresses of a /64.
    if (size === null || size > 2 ** 32) return `${of} ${used} in use`;
    if (used >= size) return `${of} ${used}/${size} FULL`;
    return `${of} ${used}/${size} (${Math.floor((used / size) * 100)} %)`;
  });
  return columns([
    ...parts,
    ...(waiting === undefined || waiting === 0
      ? []
      : [`${counted(waiting, 'Service')} ${waiting === 1 ? 'waits' : 'wait'}`]),
  ]);
}

function columns(parts: readonly string[]): string {
  return parts.join('   ');
}

export function needLines({ needs, now }: Pick<AnyStatus, 'needs' | 'now'>, paint: Paint): readonly string[] {
  if (needs.length === 0) return [];
  const shown = needs.slice(0, mostNeeds);
  const width = Math.max(...shown.map(({ kind }) => kind.length));
  const lines = ['', `Needs you (${needs.length})`];
  for (const need of shown) {
    const kind = paint(need.kind.padEnd(width), need.severity === 'error' ? 'red' : 'yellow');
    lines.push(`  ${kind}  ${printable(needText(need, Date.parse(now)))}`);
    lines.push(`  ${' '.repeat(width)}  ${printable(need.advice)}`);
  }
  if (needs.length > mostNeeds) lines.push(`  and ${needs.length - mostNeeds} more: --json has all`);
  return lines;
}

/** What, where and why; a problem is a sentence that says all three. */
function needText({ kind, code, subject, where, why, until }: Need, now: number): string {
  const isSentence = code !== kind.toLowerCase();
  const head = isSentence ? [] : [subject, where].filter((part) => part !== undefined && part !== '');
  const rest = until === undefined ? '' : `, for ${span(Date.parse(until) - now)} more`;
  return [...head, `${why}${rest}`].join('  ');
}

/** What `eiproute status --eips` prints. */
export function eipsListText(eips: readonly EipStatus[], paint: Paint): string {
  const width = Math.max(0, ...eips.map(({ eip }) => eip.length));
  const names = Math.max(0, ...eips.map(({ services }) => services.join(', ').length));
  return eips
    .map(({ eip, state, services, nodes }) => {
      const word = state === 'routed' || state === 'idle' ? state : state.toUpperCase();
      const shown = paint(word.padEnd(8), state === 'routed' ? 'green' : state === 'idle' ? 'yellow' : 'red');
      const to = nodes.length === 0 ? 'no node can serve it' : nodes.map(carrierText).join(' ');
      return `${eip.padEnd(width)}  ${shown}  ${printable(`${services.join(', ').padEnd(names)}  ${to}`)}\n`;
    })
    .join('');
}

/** `node2(down)`, `node2(draining)`, `node2(leaving)` */
function carrierText({ name, silent, standing }: EipStatus['nodes'][number]): string {
  const mark = silent ? 'down' : standing;
  return mark === undefined ? name : `${name}(${mark})`;
}
