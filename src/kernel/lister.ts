import { families } from '../model/ip.ts';
import type { Listing } from '../model/listing.ts';
import {
  type KernelObject,
  type Key,
  keyOf,
  type Link,
  type LinkAddress,
  type NftObject,
  type Sysctl,
} from '../model/object.ts';
import { isOwnId, type Owner } from '../model/owner.ts';
import { equal } from '../model/same-object.ts';
import type { Scope } from './kernel.ts';
import type { Dumper, DumpRequest } from './netlink/dump.ts';
import type { FoundNexthop } from './netlink/nexthop.ts';
import { RepeatedDump } from './netlink/repeated.ts';
import {
  addressDump,
  linkDump,
  nexthopDump,
  proxyNeighbourDump,
  routeDump,
  ruleDump,
} from './netlink/requests.ts';
import type { Nft } from './nft.ts';
import type { Sysctls } from './sysctl.ts';

/** RT_TABLE_UNSPEC: the dump is not filtered by table. */
const everyTable = 0;

/** An object of ours with its key, which is built once; an id that another program uses; a table that its rule looks up. */
type Found =
  | { readonly key: Key; readonly object: KernelObject }
  | { readonly foreignId: number }
  | { readonly lookedUp: number };

type Listed = Pick<Listing, 'objects' | 'foreignIds' | 'lookedUp'>;

/** The result of the netlink dumps and of /proc/sys. */
interface Dumped {
  readonly links: readonly Link[];
  readonly parts: readonly (readonly (Found | undefined)[])[];
  readonly settings: readonly Sysctl[];
}

/**
 * Lists the objects of a scope repeatedly. An unchanged object keeps its identity from listing to listing, and so
 * does the whole map when no object has changed: callers compare by `===`, and a resync without changes costs
 * little more than the kernel's own work. This holds across RepeatedDump (bytes), Lister (objects) and Listing (map).
 */
export class Lister {
  readonly #dumper: Dumper;
  readonly #sysctls: Sysctls;
  readonly #nft: Nft;
  #scope: Scope | undefined;
  #dumps: readonly RepeatedDump<Found>[] = [];
  #parts: readonly (readonly (Found | undefined)[])[] = [];
  #settings: readonly Sysctl[] = [];
  #tables: readonly NftObject[] = [];
  #listed: Listed | undefined;

  constructor(dumper: Dumper, sysctls: Sysctls, nft: Nft) {
    this.#dumper = dumper;
    this.#sysctls = sysctls;
    this.#nft = nft;
  }

  /** @param scope another scope than that of the last call drops the cached dumps */
  async list(scope: Scope, signal: AbortSignal): Promise<Omit<Listing, 'neighbours'>> {
    if (this.#scope !== scope) {
      this.#scope = scope;
      this.#dumps = dumpsOf(scope).map((request) => new RepeatedDump(request));
      this.#listed = undefined;
    }
    // The nft process runs beside the dumps; the next listing begins after both have ended.
    const [dumped, nft] = await Promise.allSettled([
      this.#dump(scope, signal),
      this.#nftTables(scope, signal),
    ]);
    if (dumped.status === 'rejected') throw dumped.reason;
    if (nft.status === 'rejected') throw nft.reason;
    const { links, parts, settings } = dumped.value;
    const tables = nft.value;
    const same =
      parts.every((part, i) => part === this.#parts[i]) &&
      sameObjects(settings, this.#settings) &&
      sameObjects(tables, this.#tables);
    if (!same || this.#listed === undefined) this.#listed = gather(parts, [...settings, ...tables]);
    this.#parts = parts;
    this.#settings = settings;
    this.#tables = tables;
    return { ...this.#listed, links, formerSysctls: new Map(this.#sysctls.former) };
  }

  async #dump(scope: Scope, signal: AbortSignal): Promise<Dumped> {
    const links = await this.links(signal);
    const parts: (readonly (Found | undefined)[])[] = [];
    for (const dump of this.#dumps) parts.push(await this.#dumper.again(dump, signal));
    return { links, parts, settings: await this.#sysctls.list(scope.sysctls) };
  }

  async #nftTables({ nftTables, owner }: Scope, signal: AbortSignal): Promise<readonly NftObject[]> {
    const tables: NftObject[] = [];
    if (nftTables.length === 0) return tables;
    // A process for each table costs more than one that says which there are.
    const present = await this.#nft.tables(signal);
    for (const name of nftTables.filter((one) => present.has(`${one.family} ${one.name}`))) {
      const listed = await this.#nft.list(name, signal);
      // A large table of NAT is no argument list.
      for (const object of listed) if (object.protocol === owner.protocol) tables.push(object);
    }
    return tables;
  }

  async links(signal: AbortSignal): Promise<readonly Link[]> {
    const links = await this.#dumper.dump(linkDump, signal);
    const addresses = new Map<number, LinkAddress[]>();
    for (const { link, address } of await this.#dumper.dump(addressDump, signal)) {
      const there = addresses.get(link);
      if (there) there.push(address);
      else addresses.set(link, [address]);
    }
    return links.map((link) => ({ ...link, addresses: addresses.get(link.index) ?? [] }));
  }
}

function gather(parts: readonly (readonly (Found | undefined)[])[], others: readonly KernelObject[]): Listed {
  const objects = new Map<Key, KernelObject>();
  const foreignIds = new Set<number>();
  const lookedUp = new Set<number>();
  for (const part of parts) {
    for (const found of part) {
      if (found === undefined) continue;
      if ('foreignId' in found) foreignIds.add(found.foreignId);
      else if ('lookedUp' in found) lookedUp.add(found.lookedUp);
      else objects.set(found.key, found.object);
    }
  }
  for (const object of others) objects.set(keyOf(object), object);
  return { objects, foreignIds, lookedUp };
}

function dumpsOf({ owner, tables }: Scope): readonly DumpRequest<Found>[] {
  const ours = (object: Exclude<KernelObject, Sysctl> | undefined): Found | undefined =>
    object?.protocol === owner.protocol ? { key: keyOf(object), object } : undefined;
  return [
    reading(
      nexthopDump,
      (found) => (isOurs(found, owner) ? ours(found.object) : undefined) ?? { foreignId: found.id },
    ),
    ...families.flatMap((family) => [
      reading(
        ruleDump(family),
        ({ rule, table }) => ours(rule) ?? (table === undefined ? undefined : { lookedUp: table }),
      ),
      reading(proxyNeighbourDump(family), ours),
      ...(tables === 'all' ? [everyTable] : tables).map((table) =>
        reading(routeDump({ family, table, protocol: owner.protocol }), ours),
      ),
    ]),
  ];
}

function reading<T>(
  { type, encode, decode }: DumpRequest<T>,
  select: (one: T) => Found | undefined,
): DumpRequest<Found> {
  return {
    type,
    encode,
    decode: (message) => {
      const one = decode(message);
      return one === undefined ? undefined : select(one);
    },
  };
}

function isOurs({ id, protocol }: FoundNexthop, owner: Owner): boolean {
  return protocol === owner.protocol && isOwnId(id, owner);
}

function sameObjects(a: readonly KernelObject[], b: readonly KernelObject[]): boolean {
  return (
    a.length === b.length &&
    a.every((one, i) => {
      const other = b[i];
      return other !== undefined && equal(one, other);
    })
  );
}
