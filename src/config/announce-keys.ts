import type { AnnounceWay, Pool } from '../model/gateway.ts';
import { type Family, family, type Prefix, prefixLength } from '../model/ip.ts';
import { quoted } from '../model/text.ts';
import { kindOf } from './document.ts';
import { choice, type Format, whole } from './format.ts';
import type { ReportProblem } from './pools.ts';
import { hint, meant } from './spelling.ts';

/** The keys of a pool that say how it is announced; see docs/configuration.md. */
export const announceKeys: readonly string[] = ['announce', 'aggregate', 'communities'];

const lengths: ReadonlyMap<string, { readonly of: Family; readonly format: Format<number> }> = new Map([
  ['ipv4', { of: 4, format: whole(8, 31) }],
  ['ipv6', { of: 6, format: whole(16, 127) }],
]);

const way: Format<AnnounceWay> = choice(['bgp', 'layer2', 'none']);

/** What only routing daemons are told. */
const bgpKeys = ['aggregate', 'communities'] as const;

/**
 * How a pool is announced.
 *
 * @returns undefined when the pool does not say it
 */
export function readWay(
  pool: ReadonlyMap<unknown, unknown>,
  poolKey: string,
  report: ReportProblem,
): AnnounceWay | undefined {
  if (!pool.has('announce')) return undefined;
  try {
    const found = way.fromYaml(pool.get('announce'));
    if (found !== 'layer2') return found;
    for (const key of bgpKeys)
      if (pool.has(key))
        report(`${poolKey}.${key}`, 'is told to routing daemons, and this pool has announce: layer2');
    return found;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report(`${poolKey}.announce`, error.message);
    return undefined;
  }
}

/** @returns undefined when the pool has none */
export function readAggregate(
  pool: ReadonlyMap<unknown, unknown>,
  poolKey: string,
  addresses: readonly Prefix[],
  report: ReportProblem,
): Pool['aggregate'] {
  if (!pool.has('aggregate')) return undefined;
  const key = `${poolKey}.aggregate`;
  const raw = pool.get('aggregate');
  if (!(raw instanceof Map)) {
    report(key, `must be lengths like { ipv4: 24, ipv6: 64 }, not ${kindOf(raw)}`);
    return undefined;
  }
  const aggregate: ReadonlyMap<unknown, unknown> = raw;
  const found: Partial<Record<Family, number>> = {};
  for (const [name, value] of aggregate) {
    const known = lengths.get(String(name));
    const here = `${key}.${name}`;
    if (known === undefined) {
      report(here, `unknown key${hint(meant(String(name), [...lengths.keys()]))}`, 'key');
      continue;
    }
    try {
      const length = known.format.fromYaml(value);
      checkLength(length, known.of, addresses, (what) => report(here, what));
      found[known.of] = length;
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      report(here, error.message);
    }
  }
  return found;
}

/** An aggregate that is larger than a network of the pool would take the traffic of addresses that are not ours. */
function checkLength(
  length: number,
  of: Family,
  addresses: readonly Prefix[],
  report: (what: string) => void,
): void {
  const ours = addresses.filter((network) => family(network) === of);
  const small = ours.find((network) => prefixLength(network) > length);
  if (ours.length === 0) report(`the pool has no IPv${of} addresses`);
  else if (small !== undefined)
    report(
      `/${length} holds more than ${small}: the traffic of addresses outside of the pool would come here; write the pool as networks of /${length} or larger`,
    );
}

/** @returns undefined when the pool has none */
export function readCommunities(
  pool: ReadonlyMap<unknown, unknown>,
  poolKey: string,
  report: ReportProblem,
): Pool['communities'] {
  if (!pool.has('communities')) return undefined;
  const key = `${poolKey}.communities`;
  const raw = pool.get('communities');
  if (!Array.isArray(raw)) {
    report(key, `must be a list of communities like ["65001:100"], not ${kindOf(raw)}`);
    return undefined;
  }
  return raw.flatMap((one: unknown, i) => {
    if (isCommunity(one)) return [one];
    const what = typeof one === 'string' ? quoted(one) : kindOf(one);
    report(`${key}[${i}]`, `must be a text of two numbers up to 65535, like "65001:100", not ${what}`);
    return [];
  });
}

/** RFC 1997. */
function isCommunity(text: unknown): text is string {
  if (typeof text !== 'string' || !/^\d{1,5}:\d{1,5}$/.test(text)) return false;
  return text.split(':').every((half) => Number(half) <= 65_535);
}
