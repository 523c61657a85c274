import type { AnnounceStates } from '../desire/announcements.ts';
import type { PathTable } from '../desire/path-table.ts';
import type { Feed, Overview } from '../model/cluster.ts';
import type { Ip } from '../model/ip.ts';
import type { LinkNames } from '../model/iproute.ts';
import { changeObject } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import type { KernelUnreadable } from '../reconcile/loop.ts';
import { type LastReport, undone } from '../reconcile/report.ts';
import { eipOf, mostUrgentFirst, type Need, reportNeeds, some } from './need.ts';
import { counted, frozenAfter, type Health, span } from './state.ts';

/** All that the state of a gateway follows from. */
export interface GatewayFacts {
  /** ms since the epoch */
  readonly now: number;
  /** The interface toward the nodes. */
  readonly lan: string;
  /** The last round that could read the kernel. */
  readonly report: LastReport | undefined;
  /** Set while the kernel cannot be read. */
  readonly unreadable: KernelUnreadable | undefined;
  /** What should be routed, as of the same round. */
  readonly counts: PathTable['counts'];
  readonly cluster: Pick<Overview, 'complete' | 'clusters' | 'feeds'>;
  /** Where the cluster is read from; a file is silent as long as nobody writes it. */
  readonly source: 'kubernetes' | 'file';
  /** EIPs that lead to nodes that do not answer, and to no other. */
  readonly dark: readonly Ip[];
  /** EIPs whose route is in the kernel, which takes another one or refuses. */
  readonly shadowed: number;
  /** EIPs that should be routed and for which no route is desired; asked for only when there are some. */
  readonly unrouted: () => Iterable<Ip>;
  readonly names: LinkNames;
  /** undefined: nothing is announced. */
  readonly announceStates: AnnounceStates | undefined;
}

/** How many EIPs there are, and how many are as they should be. */
export interface EipCounts {
  /** Held by a Service, and some node can serve them. */
  readonly wanted: number;
  /** Of these: a dump, or the kernel's own acknowledgement, has their route. */
  readonly routed: number;
  /** A route of another program has their place. */
  readonly conflict: number;
  /** The kernel refuses their route. */
  readonly refused: number;
  /** A change of their route waits. */
  readonly held: number;
  /** Routed, but to no node that answers. */
  readonly dark: number;
  /** Routed, but the kernel takes another route, or a rule refuses. */
  readonly shadowed: number;
  /** Held by a Service, and no node can serve them: mostly for want of a ready endpoint. */
  readonly idle: number;
}

/** What costs nothing while all that stands in the kernel is held, as before the lists are in. */
function routedCounts({
  report,
  counts,
}: Pick<GatewayFacts, 'report' | 'counts'>): Pick<EipCounts, 'wanted' | 'routed'> {
  const wanted = counts.routed;
  const absent = (report?.missing ?? []).filter(
    ({ want, have }) => have === undefined && eipOf(want) !== undefined,
  ).length;
  return { wanted, routed: report === undefined ? 0 : wanted - report.lacking - absent };
}

export function eipCounts({ report, counts, dark, shadowed }: GatewayFacts): EipCounts {
  return {
    ...routedCounts({ report, counts }),
    conflict: (report?.conflicts ?? []).filter(({ want }) => eipOf(want) !== undefined).length,
    refused: (report?.failed ?? []).filter(({ change }) => eipOf(changeObject(change)) !== undefined).length,
    held: (report?.held ?? []).filter((change) => eipOf(changeObject(change)) !== undefined).length,
    dark: dark.length,
    shadowed,
    idle: counts.idle,
  };
}

/**
 * Judges a gateway by what the kernel and the API server have shown, never by what is intended. It costs what is
 * wrong, and nothing more when all is well.
 */
export function gatewayHealth(facts: GatewayFacts): Health {
  return { ...verdict(facts), needs: () => needs(facts) };
}

function verdict(facts: GatewayFacts): Pick<Health, 'state' | 'summary'> {
  const { report, unreadable, cluster } = facts;
  if (unreadable !== undefined) {
    const why = unreadable.error.message;
    return { state: 'NOT SYNCED', summary: `cannot read the kernel: ${why}; routes stay as they are` };
  }
  if (report === undefined) return { state: 'NOT SYNCED', summary: 'starting' };
  if (!(report.complete && cluster.complete))
    return { state: 'NOT SYNCED', summary: incomplete(cluster.feeds, routedCounts(facts)) };
  const eips = eipCounts(facts);
  const old = oldFeeds(facts);
  if (old.length > 0) return { state: 'FROZEN', summary: frozen(old, facts, eips) };
  const isWhole =
    report.missing.length === 0 &&
    report.lacking === 0 &&
    report.failed.length === 0 &&
    report.conflicts.length === 0 &&
    report.held.length === 0 &&
    eips.dark === 0 &&
    eips.shadowed === 0 &&
    report.problems.every(({ severity }) => severity !== 'error');
  return { state: isWhole ? 'OK' : 'DEGRADED', summary: routing(facts, eips, report) };
}

function incomplete(
  feeds: readonly Feed[],
  { wanted, routed }: Pick<EipCounts, 'wanted' | 'routed'>,
): string {
  const missing = feeds.filter(({ synced }) => !synced);
  const trouble = missing.find((feed) => feed.trouble !== undefined)?.trouble;
  const isOne = feeds.every(({ cluster }) => cluster === undefined);
  // Of several, some of them may be routed as they are now.
  const kept = isOne ? stay(routed) : `${routed} of ${counted(wanted, 'EIP')} routed`;
  const stays = routed > 0 ? `; ${kept}` : '';
  if (missing.length === 0) return `the lists of the cluster are just in${stays}`;
  const names = feedNames(missing);
  return `no complete list of ${names} yet${trouble === undefined ? '' : `: ${trouble}`}${stays}`;
}

function stay(eips: number): string {
  return `${counted(eips, 'EIP')} ${eips === 1 ? 'stays as it was' : 'stay as they were'}`;
}

/** The feeds of which there was no word for too long. */
function oldFeeds({ cluster, now, source }: GatewayFacts): readonly Feed[] {
  return cluster.feeds.filter(
    ({ heard = 0, trouble }) =>
      now - heard > frozenAfter && (source === 'kubernetes' || trouble !== undefined),
  );
}

/** How one of several clusters is by itself; see `ClusterStatus` in status.ts. */
export function clusterState(facts: GatewayFacts, name: string): 'OK' | 'FROZEN' | 'NOT SYNCED' {
  const isOf = (feed: Feed): boolean => feed.cluster === name;
  if (facts.cluster.clusters?.find((one) => one.name === name)?.complete !== true) return 'NOT SYNCED';
  return oldFeeds(facts).some(isOf) ? 'FROZEN' : 'OK';
}

/** `services, nodes`; of several clusters `services of east, nodes of west`, and `east` for all of one. */
function feedNames(feeds: readonly Feed[]): string {
  return [...Map.groupBy(feeds, ({ cluster }) => cluster)]
    .map(([cluster, of]) => {
      const names = of.map(({ resource }) => resource).join(', ');
      return cluster === undefined ? names : `${names} of cluster ${cluster}`;
    })
    .join('; ');
}

/** Clusters of which there was no word for too long; the others go on. */
function frozenClusters(
  old: readonly Feed[],
  { cluster, now }: GatewayFacts,
  { wanted, routed }: EipCounts,
): string {
  const parts = [...Map.groupBy(old, (feed) => feed.cluster ?? '')].map(([name, feeds]) => {
    const isAll = feeds.length === cluster.feeds.filter((feed) => feed.cluster === name).length;
    const what = isAll ? '' : ` about ${feeds.map(({ resource }) => resource).join(', ')}`;
    const since = Math.max(...feeds.map(({ heard = 0 }) => heard));
    return `no answer from the API of cluster ${name}${what} for ${span(now - since)}`;
  });
  const names = new Set(old.map((feed) => feed.cluster));
  const others = (cluster.clusters ?? []).filter((one) => !names.has(one.name)).map(({ name }) => name);
  const rest = others.length === 0 ? '' : `, ${others.join(', ')} ${others.length === 1 ? 'goes' : 'go'} on`;
  return `${parts.join('; ')}: what it has stays as it was${rest}; ${routed} of ${counted(wanted, 'EIP')} routed`;
}

function frozen(old: readonly Feed[], facts: GatewayFacts, eips: EipCounts): string {
  const { cluster, now, source } = facts;
  if (cluster.clusters !== undefined) return frozenClusters(old, facts, eips);
  const { routed } = eips;
  const whose = source === 'file' ? 'the source file' : 'the API';
  const what =
    old.length === cluster.feeds.length ? '' : ` about ${old.map(({ resource }) => resource).join(', ')}`;
  const since = Math.max(...old.map(({ heard = 0 }) => heard));
  return `no answer from ${whose}${what} for ${span(now - since)}; ${stay(routed)}`;
}

function routing(
  { counts, lan, cluster, announceStates }: GatewayFacts,
  eips: EipCounts,
  report: LastReport,
): string {
  const { wanted, routed, idle } = eips;
  // The LAN and the uplink: without the one no EIP is routed, without the other no packet comes in.
  const dead = report.problems.filter(({ code }) => /^interface-(missing|down)$/.test(code));
  const isLan = ({ subject }: Problem): boolean => subject === `interface ${lan}`;
  const said = ({ message }: Problem): string => message.replace(/;.*/, '');
  const lanDead = dead.find(isLan);
  const parts = [
    ...dead.filter((one) => !isLan(one)).map(said),
    lanDead === undefined
      ? `${routed} of ${counted(wanted, 'EIP')} routed over ${counted(counts.nodes, 'node')}`
      : `${said(lanDead)}: ${routed} of ${counted(wanted, 'EIP')} ${wanted === 1 ? 'is' : 'are'} routed`,
  ];
  if (report.conflicts.length > 0) parts.push(`${report.conflicts.length} in conflict`);
  if (report.failed.length > 0) parts.push(`${report.failed.length} refused by the kernel`);
  if (report.held.length > 0) parts.push(`${report.held.length} held`);
  if (eips.dark > 0) parts.push(`${eips.dark} without a node that answers`);
  if (eips.shadowed > 0) parts.push(`${eips.shadowed} that another route or a rule takes`);
  if (idle > 0) parts.push(`${idle} that no node can serve`);
  const errors = report.problems.filter((one) => one.severity === 'error' && !dead.includes(one)).length;
  const warnings = report.problems.filter(({ severity }) => severity === 'warn').length;
  if (errors > 0) parts.push(counted(errors, 'problem'));
  if (warnings > 0) parts.push(counted(warnings, 'warning'));
  const failing = cluster.feeds.filter(({ trouble }) => trouble !== undefined);
  if (failing.length > 0) parts.push(`no answer about ${feedNames(failing)}`);
  parts.push(...quiet(announceStates));
  return parts.join('; ');
}

/** That nothing is announced although all is well. */
function quiet(announceStates: AnnounceStates | undefined): readonly string[] {
  if (announceStates === undefined) return [];
  const { 4: v4, 6: v6 } = announceStates;
  if (v4 === 'draining') return ['drained, nothing is announced'];
  if (v4 === v6) return v4 === 'standby' ? ['standby, nothing is announced'] : [];
  return ([v4, v6] as const).flatMap((one, i) =>
    one === 'standby' ? [`IPv${i === 0 ? 4 : 6} on standby`] : [],
  );
}

function needs(facts: GatewayFacts): readonly Need[] {
  const { report, unreadable, names } = facts;
  const found: Need[] = [];
  if (unreadable !== undefined) {
    found.push({
      kind: 'KERNEL',
      code: 'kernel',
      severity: 'error',
      subject: 'the kernel',
      where: undefined,
      why: `it cannot be read: ${unreadable.error.message}; ${counted(unreadable.failures, 'try')} in a row`,
      advice: 'routes stay as they are; it is tried again by itself. journalctl has the errors',
      eip: undefined,
    });
  }
  const followsFrom = consequences(facts);
  found.push(...apiNeeds(facts, followsFrom));
  if (report !== undefined) {
    const problems = report.problems.filter((one) => !followsFrom.includes(one));
    found.push(...reportNeeds({ ...report, problems }, names), ...missingNeeds(facts, report));
  }
  if (facts.dark.length > 0) {
    found.push({
      kind: 'DARK',
      code: 'dark',
      severity: 'error',
      subject: some(facts.dark),
      where: undefined,
      why: 'none of the nodes that could serve it answers on the LAN',
      advice: `see to its nodes, and to the switch behind ${facts.lan}: ip neigh show dev ${facts.lan}`,
      eip: facts.dark.length === 1 ? facts.dark[0] : undefined,
    });
  }
  return mostUrgentFirst(found);
}

/**
 * Problems of the allocation that the trouble of a feed explains: an API that does not answer, or that answers every
 * request with the same error, takes no writes.
 */
function consequences(facts: GatewayFacts): readonly Problem[] {
  const { cluster, report } = facts;
  const causes = cluster.feeds.flatMap(({ trouble }) => trouble?.replace(/; check: .*/s, '') ?? []);
  const isSilent = causes.length > 0 || oldFeeds(facts).length > 0;
  const isOfAllocation = ({ code }: Problem): boolean =>
    /^(allocation|events)-refused$|^lease-trouble$/.test(code);
  return (report?.problems ?? []).filter(
    (one) =>
      isOfAllocation(one) &&
      ((isSilent && one.unanswered) || causes.some((cause) => one.message.includes(cause))),
  );
}

/** Feeds that fail for the same reason are one entry, with what else follows from it. */
function apiNeeds(facts: GatewayFacts, followsFrom: readonly Problem[]): readonly Need[] {
  const { cluster, now, source } = facts;
  const old = oldFeeds(facts);
  const failing = cluster.feeds.filter((feed) => feed.trouble !== undefined || old.includes(feed));
  const groups = Map.groupBy(failing, ({ cluster: of = '', trouble }) => `${of} ${trouble}`);
  return [...groups.values()].map((feeds) => {
    const [first] = feeds;
    const of = first?.cluster;
    const trouble = first?.trouble;
    const heard = Math.max(...feeds.map((feed) => feed.heard ?? 0));
    const isOld =
      feeds.some((feed) => old.includes(feed) || !feed.synced) ||
      followsFrom.some(({ severity }) => severity === 'error');
    return {
      kind: source === 'file' ? 'FILE' : 'API',
      code: source === 'file' ? 'file' : 'api',
      severity: isOld ? 'error' : 'warn',
      subject: feeds.map(({ resource }) => resource).join(', '),
      where: of === undefined ? undefined : `cluster ${of}`,
      why: `${trouble ?? 'no answer'}${heard === 0 ? '; never heard' : `; last heard ${span(now - heard)} ago`}`,
      advice: `${of === undefined ? 'all that is routed' : 'what is routed to its nodes'} stays as it is${followsFrom.length > 0 ? '; no Service gets an address meanwhile' : ''}; it is tried again by itself`,
      eip: undefined,
    };
  });
}

/** EIPs that should be routed and are not, for a reason that nothing else tells. */
function missingNeeds(facts: GatewayFacts, report: LastReport): readonly Need[] {
  const told = new Set<Ip | undefined>();
  for (const { want } of report.conflicts) told.add(eipOf(want));
  for (const change of undone(report)) told.add(eipOf(changeObject(change)));
  for (const { eip } of report.problems) told.add(eip);
  const isLanDead = report.problems.some(
    ({ code, subject }) => /^interface-(missing|down)$/.test(code) && subject === `interface ${facts.lan}`,
  );
  const eips = report.missing.flatMap(({ want, have }) => (have === undefined ? (eipOf(want) ?? []) : []));
  if (report.lacking > 0 && !isLanDead) eips.push(...facts.unrouted());
  const untold = eips.filter((eip) => !told.has(eip));
  if (untold.length === 0) return [];
  return [
    {
      kind: 'MISSING',
      code: 'missing',
      severity: 'error',
      subject: some(untold),
      where: undefined,
      why: `${counted(untold.length, 'EIP')} without a route: the kernel takes none of the nodes, or has not answered yet`,
      advice: 'eiproute status --objects shows the nexthops that the kernel refuses',
      eip: untold.length === 1 ? untold[0] : undefined,
    },
  ];
}
