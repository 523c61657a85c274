import {
  compareIp,
  contains,
  families,
  family,
  type Ip,
  overlaps,
  type Prefix,
  parseIp,
  prefixIp,
} from '../model/ip.ts';
import { type AgentGateway, mostNetworks } from '../model/node-agent.ts';
import { noGateway } from '../model/special-use.ts';
import { quoted } from '../model/text.ts';
import { kindOf } from './document.ts';
import { whole } from './format.ts';
import { hex, table } from './numbers.ts';
import { type ReportProblem, readNetworks } from './pools.ts';
import { hint, meant } from './spelling.ts';

/** The networks of EIPs, sorted; invalid entries are left out. */
export function readEips(raw: unknown, report: ReportProblem): readonly Prefix[] {
  if (!Array.isArray(raw)) {
    report('eips', `must be a list of networks like [198.51.100.0/24], not ${kindOf(raw)}`);
    return [];
  }
  if (raw.length === 0) report('eips', 'is an empty list; a node needs at least one network of EIPs');
  if (raw.length > mostNetworks) {
    report('eips', `has ${raw.length} entries; a node takes ${mostNetworks} at most`);
    return [];
  }
  const found: Prefix[] = [];
  raw.forEach((entry: unknown, i) => {
    const key = `eips[${i}]`;
    if (typeof entry !== 'string') {
      report(key, `must be a network, not ${kindOf(entry)}`);
      return;
    }
    const networks = attempt(() => readNetworks(entry), key, report) ?? [];
    const other = found.find((one) => networks.some((network) => overlaps(one, network)));
    if (other !== undefined) report(key, `${entry} overlaps ${other}`);
    else found.push(...networks);
  });
  return found.sort((a, b) => compareIp(prefixIp(a), prefixIp(b)));
}

/** The default numbers of gateways. */
export interface Numbering {
  /** Of the first gateway of a family. */
  readonly table: number;
  readonly mask: number;
  readonly localTable: number;
}

/** A gateway as configured. */
interface Entry {
  readonly key: string;
  readonly address: Ip;
  readonly table: number | undefined;
  readonly mark: number | undefined;
}

/**
 * The gateways, in the order of the file. Tables and marks count up within a family: the n-th IPv4 address and
 * the n-th IPv6 address share a number, since they usually belong to one machine.
 */
export function readGateways(
  raw: unknown,
  numbering: Numbering,
  report: ReportProblem,
): readonly AgentGateway[] {
  if (!Array.isArray(raw)) {
    report('gateways', `must be a list of addresses like [192.0.2.1, 192.0.2.2], not ${kindOf(raw)}`);
    return [];
  }
  if (raw.length === 0) report('gateways', 'is an empty list; a node answers through at least one gateway');
  const entries = raw.flatMap((one: unknown, i) => readEntry(one, `gateways[${i}]`, report));
  return number(entries, numbering, report);
}

function readEntry(raw: unknown, key: string, report: ReportProblem): readonly Entry[] {
  if (typeof raw === 'string') {
    const address = readAddress(raw, key, report);
    return address === undefined ? [] : [{ key, address, table: undefined, mark: undefined }];
  }
  if (!(raw instanceof Map)) {
    report(key, `must be an address, or a section with address, table and mark, not ${kindOf(raw)}`);
    return [];
  }
  const keys = ['address', 'table', 'mark'];
  for (const name of raw.keys()) {
    if (!keys.includes(String(name))) {
      report(`${key}.${name}`, `unknown key${hint(meant(String(name), keys))}`, 'key');
    }
  }
  const written: unknown = raw.get('address');
  if (typeof written !== 'string') {
    report(
      raw.has('address') ? `${key}.address` : key,
      'needs an address: the one of the gateway on the LAN',
    );
    return [];
  }
  const address = readAddress(written, `${key}.address`, report);
  const value = <T>(name: string, read: (given: unknown) => T): T | undefined =>
    raw.has(name) ? attempt(() => read(raw.get(name)), `${key}.${name}`, report) : undefined;
  const ownTable = value('table', table.fromYaml);
  const mark = value('mark', whole(1, 0xffffffff).fromYaml);
  return address === undefined ? [] : [{ key, address, table: ownTable, mark }];
}

function readAddress(text: string, key: string, report: ReportProblem): Ip | undefined {
  const address = attempt(() => parseIp(text), key, report);
  if (address === undefined) return undefined;
  const use = noGateway(address);
  if (use === undefined) return address;
  report(key, `${address} cannot be a gateway (${use})`);
  return undefined;
}

function number(
  entries: readonly Entry[],
  numbering: Numbering,
  report: ReportProblem,
): readonly AgentGateway[] {
  const { mask } = numbering;
  // The lowest bit of the mask is the unit of our marks; the whole mask marks packets to EIPs that may loop.
  const unit = (mask & -mask) >>> 0;
  const gateways: AgentGateway[] = [];
  for (const entry of entries) {
    const { key, address } = entry;
    const peers = gateways.filter((one) => family(one.address) === family(address));
    const gateway = {
      address,
      table: entry.table ?? numbering.table + peers.length,
      mark: entry.mark ?? (peers.length + 1) * unit,
    };
    const trouble = troubleOf(gateway, peers, numbering);
    if (trouble === undefined) gateways.push(gateway);
    else report(key, trouble);
  }
  return gateways;
}

function troubleOf(
  { address, table: own, mark }: AgentGateway,
  peers: readonly AgentGateway[],
  { mask, localTable }: Numbering,
): string | undefined {
  const twin = peers.find((one) => one.address === address || one.table === own || one.mark === mark);
  if (twin?.address === address) return `${address} is there twice`;
  if ((mark & mask) >>> 0 !== mark || mark === mask) {
    const most = mask / (mask & -mask) - 1;
    return `mark ${hex(mark)} does not fit markMask ${hex(mask)}, which has room for ${most} gateways of a family`;
  }
  if (twin) {
    const what = twin.table === own ? `table ${own}` : `mark ${hex(mark)}`;
    return `${what} is that of ${twin.address} already; each gateway of a family has its own`;
  }
  if (own === localTable) return `table ${own} is tables.local`;
  if (own >= 253 && own <= 255) return `table ${own} is one of the kernel's own`;
  return undefined;
}

/** A gateway is no EIP, and an EIP without a gateway of its family would have no reply path. */
export function refuseMismatches(
  eips: readonly Prefix[],
  gateways: readonly AgentGateway[],
  report: ReportProblem,
): void {
  gateways.forEach(({ address }, i) => {
    const network = eips.find((one) => contains(one, address));
    if (network) report(`gateways[${i}]`, `${address} is inside ${network} of eips; a gateway is no EIP`);
  });
  for (const version of families) {
    const network = eips.find((one) => family(one) === version);
    if (network === undefined || gateways.some(({ address }) => family(address) === version)) continue;
    if (gateways.length > 0)
      report(
        'gateways',
        `has no IPv${version} address, but eips holds ${quoted(network)}: add the gateway's IPv${version} address on the LAN, or take that network out of eips`,
      );
  }
}

function attempt<T>(read: () => T, key: string, report: ReportProblem): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    report(key, error.message);
    return undefined;
  }
}
