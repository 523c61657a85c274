import type { Snapshot } from '../model/cluster.ts';
import type { KernelState } from '../model/desired.ts';
import type { DesiredObject, DesiredObjects, Refusals } from '../model/desired-object.ts';
import type { Gateway } from '../model/gateway.ts';
import { families, type Ip } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import { natTableName } from '../model/nat.ts';
import { type Key, keyOf, type Link, type NftName } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import { probeTableName } from '../model/probe-path.ts';
import { type Probed, unprobed } from '../model/probed.ts';
import type { Problem } from '../model/problem.ts';
import { standbyFilterName } from '../model/standby-filter.ts';
import { type Uniqueness, undetected } from '../model/uniqueness.ts';
import { announcements, lookups } from './announcements.ts';
import { causes } from './causes.ts';
import { claim, rememberedIn } from './claims.ts';
import { readerOf } from './cluster-reader.ts';
import { eipRoutes, presentRoute, routeKey } from './eip-routes.ts';
import { flowLabels, flowLabelTableName } from './flow-label.ts';
import { alive } from './links.ts';
import { natFrames } from './nat-frame.ts';
import { usesNat } from './nat-mode.ts';
import { natObjects } from './nat-objects.ts';
import { naming, paths } from './paths.ts';
import { type Add, defaultRoutes, poolRoutes } from './plain-routes.ts';
import { poolFinder } from './pools.ts';
import { probeTable, probeWhy } from './probe-table.ts';
import { apiServices, type Reserved, reservedIn } from './reserved.ts';
import { segmentSizes, segmentSizeTableName } from './segment-size.ts';
import { sysctls, withoutIpv6 } from './sysctls.ts';

/**
 * All objects that a gateway desires: the full recompute, and the specification of {@link GatewayDesire}.
 *
 * A dead or missing interface freezes the objects that depend on it: Linux deletes some of them, and the remaining ones
 * stay as they are.
 *
 * @param have the dump; ids found in it are kept
 * @param refused changes that the kernel has refused in this round: left out, so that the rest can be installed
 * @param probed what the gateway has seen of the nodes
 * @param announcing what else decides which EIPs are announced
 */
export function gatewayObjects(
  snapshot: Snapshot,
  gateway: Gateway,
  have: Listing,
  refused: Refusals,
  probed: Probed = unprobed,
  announcing: Announcing = notDraining,
): DesiredObjects {
  const owner = ownerOf(gateway.protocol);
  const objects = new Map<Key, DesiredObject>();
  const add: Add = (object, why) => {
    const key = keyOf(object);
    if (!objects.has(key)) objects.set(key, { key, object, why });
  };
  const found = paths(snapshot, gateway, probed);
  const problems: Problem[] = [...snapshot.problems, ...found.problems];
  const { nodes, services, apiPeers } = snapshot;
  const apis = apiServices(readerOf(snapshot));
  const reserved = reservedIn({ nodes, apis, apiPeers, links: have.links }, gateway);
  const inUse = found.paths.filter((path) => presentRoute(path, gateway.table, owner, have) !== undefined);
  problems.push(
    ...fixedObjects(
      { gateway, have, refused, reserved: notInUse(reserved, new Set(inUse.map(({ eip }) => eip))) },
      add,
    ),
  );
  const lan = alive(have.links, gateway.lan);
  const { standings } = probed;
  for (const version of families) {
    const table = lan && probeTable(gateway, probed.probePaths[version], version);
    if (table !== undefined) add(table, probeWhy);
  }
  problems.push(...eipRoutes(found.paths, { gateway, owner, lan, reserved, have, refused, standings }, add));
  if (usesNat(gateway)) {
    const named = naming(services, gateway);
    const remembered = rememberedIn(snapshot);
    const poolOf = poolFinder(gateway.pools);
    natObjects(
      {
        gateway,
        desired: [...objects.values()].map(({ object }) => object),
        find: (key) => objects.get(key)?.object,
        holders: (eip) => known(claim(eip, named.get(eip) ?? [], gateway, poolOf(eip), remembered).holders),
        have: have.objects,
      },
      add,
    );
  }
  const routes = new Set(objects.keys());
  announcements(
    {
      gateway,
      owner,
      kernel: { objects: have.objects, links: have.links, stuck: announcing.stuck, refused },
      isDraining: announcing.isDraining,
      uniqueness: announcing.uniqueness ?? undetected,
      areNodesHeard: probed.areNodesHeard,
      isDesired: (key) => routes.has(key),
    },
    add,
  );
  const lacking = found.paths.filter(({ eip }) => !objects.has(routeKey(eip, gateway.table))).length;
  return {
    objects: [...objects.values()],
    problems: causes(problems, snapshot.complete),
    complete: snapshot.complete,
    lacking,
  };
}

/** undefined in the place of none: where nobody holds an EIP, its ports stay as they are in the kernel. */
function known<T>(holders: readonly T[]): readonly T[] | undefined {
  return holders.length === 0 ? undefined : holders;
}

/** What decides, beside the routes, which EIPs are announced. */
export interface Announcing {
  /** As `stuck` of the kernel's state in model/desired.ts. */
  readonly stuck: KernelState['stuck'];
  /** An operator takes the traffic off this gateway. */
  readonly isDraining: boolean;
  /** Absent: nobody else has an EIP. */
  readonly uniqueness?: Uniqueness;
}

const notDraining: Announcing = { stuck: new Map(), isDraining: false };

export interface FixedInputs {
  readonly gateway: Gateway;
  readonly have: Listing;
  readonly refused: Refusals;
  /** Without the addresses that nodes claim while they are in use as EIPs. */
  readonly reserved: Reserved;
}

/** The nftables tables that a gateway may make. */
export function nftTableNames(protocol: number): readonly NftName[] {
  return [
    flowLabelTableName(protocol),
    segmentSizeTableName(protocol),
    natTableName(protocol),
    standbyFilterName(protocol, 4),
    standbyFilterName(protocol, 6),
    probeTableName(protocol, 4),
    probeTableName(protocol, 6),
  ];
}

/** All that does not depend on which Service has which EIP. */
export function fixedObjects(inputs: FixedInputs, add: Add): readonly Problem[] {
  const { gateway, have, refused, reserved } = inputs;
  const owner = ownerOf(gateway.protocol);
  const problems: Problem[] = [];
  const sides = [
    [gateway.lan, 'no EIP can be routed'],
    [gateway.uplink, 'no packet of a client comes in'],
  ] as const;
  for (const [name, lost] of [...sides, ...segmentSide(gateway)]) {
    const problem = interfaceProblem(
      name,
      lost,
      have.links.find((link) => link.name === name),
    );
    if (problem) problems.push(problem);
  }
  problems.push(...sysctls(gateway, have, add));
  problems.push(...flowLabels(gateway, refused, add), ...segmentSizes(gateway, refused, add));
  problems.push(...natFrames(gateway, refused, add));
  problems.push(...poolRoutes(gateway, owner, reserved, add));
  problems.push(...lookups(gateway.announce, have), ...withoutIpv6(gateway, have));
  const uplink = alive(have.links, gateway.uplink);
  problems.push(...defaultRoutes({ gateway, owner, uplink, have, refused }, add));
  return problems;
}

/** The interface where the gateway answers for EIPs, when it is another one. */
function segmentSide({ lan, uplink, announce }: Gateway): readonly (readonly [name: string, lost: string])[] {
  const segment = announce?.segment;
  if (segment === undefined || segment === lan || segment === uplink) return [];
  return [[segment, 'nobody is told where the EIPs of layer 2 are']];
}

/** The reserved addresses but for those that nodes claim while they are in use as EIPs. */
export function notInUse(reserved: Reserved, inUse: Pick<ReadonlySet<Ip>, 'has'>): Reserved {
  return new Map([...reserved].filter(([ip, { isClaim }]) => !(isClaim && inUse.has(ip))));
}

/** @param lost what there is not without the interface */
function interfaceProblem(name: string, lost: string, link: Link | undefined): Problem | undefined {
  if (link?.up && link.carrier) return undefined;
  const state = link === undefined ? 'does not exist' : link.up ? 'has no carrier' : 'is down';
  return {
    code: link === undefined ? 'interface-missing' : 'interface-down',
    severity: 'error',
    subject: `interface ${name}`,
    message: `interface ${name} ${state}; ${lost} until it ${link === undefined ? 'appears' : 'is back'}`,
    advice:
      link === undefined
        ? 'see "ip link" for the names there are, and correct lan or uplink in the configuration'
        : link.up
          ? 'see to the cable, the switch port or the peer of the interface'
          : `ip link set dev ${name} up`,
  };
}
