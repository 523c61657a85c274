import { type AllocationRequest, requestAnnotations, type Service } from '../model/cluster.ts';
import { type Family, family, type Ip, parseIp } from '../model/ip.ts';
import type { Unsatisfied } from './decision.ts';

/** What a Service asks for. */
export interface Request {
  /** The addresses that it names; empty: any. One per family at most. */
  readonly addresses: readonly Ip[];
  /** Where it names them: `spec.loadBalancerIP` */
  readonly by: string;
  readonly pool: string | undefined;
  /** The families of its cluster IPs, its first one first. */
  readonly families: readonly Family[];
  /** How many of them: the first one; as many as one pool has; all. */
  readonly need: 'first' | 'most' | 'all';
}

export type RequestOrInvalid =
  | { readonly kind: 'request'; readonly request: Request }
  /** It contradicts itself, or cannot be understood. */
  | {
      readonly kind: 'invalid';
      readonly unsatisfied: Unsatisfied;
      readonly families: readonly Family[] | undefined;
    };

class InvalidRequest extends Error {
  readonly unsatisfied: Unsatisfied;
  constructor(reason: Unsatisfied['reason'], message: string) {
    super(message);
    this.unsatisfied = { reason, message };
  }
}

/** @param service of type LoadBalancer */
export function requestOf(service: Service): RequestOrInvalid {
  let families: readonly Family[] | undefined;
  try {
    const { request } = service;
    families = familiesOf(request);
    const need = needOf(request, families);
    const wanted = need === 'first' ? families.slice(0, 1) : families;
    const { addresses, by } = addressesOf(service);
    checkFamilies(addresses, by, wanted);
    const pool = same('pool', request);
    return { kind: 'request', request: { addresses, by, pool, families: wanted, need } };
  } catch (error) {
    if (!(error instanceof InvalidRequest)) throw error;
    return { kind: 'invalid', unsatisfied: error.unsatisfied, families };
  }
}

function familiesOf({ clusterIps }: AllocationRequest): readonly Family[] {
  const found = [...new Set(clusterIps.map(family))];
  if (found.length === 0) throw new InvalidRequest('NoClusterIP', 'it has no cluster IP yet');
  return found;
}

function needOf({ familyPolicy }: AllocationRequest, families: readonly Family[]): Request['need'] {
  switch (familyPolicy) {
    case 'SingleStack':
      return 'first';
    case 'PreferDualStack':
      return 'most';
    case 'RequireDualStack':
      if (families.length === 2) return 'all';
      throw new InvalidRequest(
        'NotDualStack',
        'ipFamilyPolicy is RequireDualStack, but it has cluster IPs of one family only',
      );
    default:
      return familyPolicy satisfies never;
  }
}

/** The addresses that it names, whichever field names them; all fields that do have to agree. */
function addressesOf(service: Service): Pick<Request, 'addresses' | 'by'> {
  const { request, externalIps } = service;
  const said: { readonly by: string; readonly addresses: readonly Ip[] }[] = [];
  if (request.loadBalancerIp !== undefined) {
    said.push({ by: 'spec.loadBalancerIP', addresses: parse(request.loadBalancerIp, 'spec.loadBalancerIP') });
  }
  for (const name of requestAnnotations.addresses) {
    const text = request.annotations[name];
    if (text !== undefined) said.push({ by: name, addresses: parse(text, name) });
  }
  if (externalIps.length > 0) said.push({ by: 'spec.externalIPs', addresses: externalIps });
  const [first, ...others] = said;
  if (first === undefined) return { addresses: [], by: '' };
  // Before they are compared: a field has room for tens of thousands.
  for (const { addresses, by } of said) {
    if (addresses.length <= 2) continue;
    throw new InvalidRequest(
      'TooManyAddresses',
      `${by} asks for ${addresses.length} addresses; one per family can be had`,
    );
  }
  const other = others.find(({ addresses }) => !sameSet(addresses, first.addresses));
  if (other !== undefined) {
    throw new InvalidRequest(
      'Contradiction',
      `${first.by} asks for ${first.addresses.join(', ')} and ${other.by} for ${other.addresses.join(', ')}`,
    );
  }
  return first;
}

function parse(text: string, by: string): readonly Ip[] {
  try {
    const ips = text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
      .map(parseIp);
    if (ips.length > 0) return [...new Set(ips)];
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
  throw new InvalidRequest('InvalidAddress', `${by} ${JSON.stringify(text.slice(0, 80))} is no address`);
}

function checkFamilies(addresses: readonly Ip[], by: string, families: readonly Family[]): void {
  const [one, two] = addresses;
  if (one !== undefined && two !== undefined && family(one) === family(two)) {
    throw new InvalidRequest('SameFamily', `${by} asks for ${one} and ${two}, which are of one family`);
  }
  const odd = addresses.find((ip) => !families.includes(family(ip)));
  if (odd !== undefined) {
    throw new InvalidRequest(
      'WrongFamily',
      `${by} asks for ${odd}, but the Service is of IPv${families.join(' and IPv')}`,
    );
  }
}

const poolName = /^[a-z0-9.-]{1,63}$/;

/** What our annotation and MetalLB's say, when they say the same. */
function same(what: 'pool', { annotations }: AllocationRequest): string | undefined {
  const [own, alias] = requestAnnotations[what];
  const one = annotations[own];
  const two = annotations[alias];
  for (const [name, text] of [
    [own, one],
    [alias, two],
  ] as const) {
    // The text goes into the status, events and the journal: an annotation may have 256 KiB, and escapes of terminals.
    if (text === undefined || poolName.test(text)) continue;
    const shown = JSON.stringify(text.slice(0, 80));
    throw new InvalidRequest('UnknownPool', `${name} asks for pool ${shown}, which is no name of a pool`);
  }
  if (one !== undefined && two !== undefined && one !== two) {
    throw new InvalidRequest('Contradiction', `${own} asks for pool ${one} and ${alias} for pool ${two}`);
  }
  return one ?? two;
}

function sameSet(a: readonly Ip[], b: readonly Ip[]): boolean {
  return a.length === b.length && a.every((ip) => b.includes(ip));
}
