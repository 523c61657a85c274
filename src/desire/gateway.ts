import type { Snapshot } from '../model/cluster.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Listing } from '../model/listing.ts';
import { keyOf, type Link } from '../model/object.ts';
import { ownerOf } from '../model/owner.ts';
import type { Problem } from '../model/problem.ts';
import type { Refusals, Want, Wanted } from '../model/want.ts';
import { eipRoutes } from './eip-routes.ts';
import { flowLabels } from './flow-label.ts';
import { paths } from './paths.ts';
import { type Add, defaultRoutes, poolRoutes } from './plain-routes.ts';
import { reservedIn } from './reserved.ts';
import { sysctls } from './sysctls.ts';

/**
 * All that a gateway wants in its kernel.
 *
 * A dead or missing interface freezes what depends on it: Linux removes such objects by itself, and what it
 * left is not ours to withdraw while we cannot tell.
 *
 * @param have the dump; ids found in it are kept
 * @param refused what the kernel would not take in this round: left out, so that the rest can stand
 */
export function gatewayWant(snapshot: Snapshot, gateway: Gateway, have: Listing, refused: Refusals): Want {
  const owner = ownerOf(gateway.protocol);
  const lan = have.links.find(({ name }) => name === gateway.lan);
  const uplink = have.links.find(({ name }) => name === gateway.uplink);
  const objects: Wanted[] = [];
  const add: Add = (object, why) => objects.push({ key: keyOf(object), object, why });

  const found = paths(snapshot, gateway);
  const problems: Problem[] = [...snapshot.problems, ...found.problems];
  const taken = reservedIn(snapshot, gateway, have.links);

  for (const link of [interfaceProblem(gateway.lan, lan), interfaceProblem(gateway.uplink, uplink)]) {
    if (link) problems.push(link);
  }
  problems.push(...sysctls(gateway, have, add));
  problems.push(...flowLabels(gateway, have, refused, add));
  problems.push(...poolRoutes(gateway, owner, taken, add));
  problems.push(...defaultRoutes(gateway, owner, alive(uplink), have, refused, add));
  problems.push(...eipRoutes(found.paths, gateway, owner, alive(lan), taken, have, refused, objects));
  return { objects, problems, complete: snapshot.complete };
}

function alive(link: Link | undefined): Link | undefined {
  return link?.up && link.carrier ? link : undefined;
}

function interfaceProblem(name: string, link: Link | undefined): Problem | undefined {
  if (link?.up && link.carrier) return undefined;
  const state = link === undefined ? 'does not exist' : link.up ? 'has no carrier' : 'is down';
  return {
    code: link === undefined ? 'interface-missing' : 'interface-down',
    severity: 'error',
    subject: `interface ${name}`,
    message: `interface ${name} ${state}; no route can lead through it until it is back`,
    advice:
      link === undefined
        ? 'see "ip link" for the names there are, and correct lan or uplink in the configuration'
        : link.up
          ? 'see to the cable, the switch port or the peer of the interface'
          : `ip link set dev ${name} up`,
  };
}
