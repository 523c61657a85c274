import { sha256 } from '@noble/hashes/sha2.js';
import { frameFilter, frameListingOf, isNatTable } from './nat.ts';
import type { Change, NftName, NftTable } from './object.ts';

/** @param content sets, chains and rules: the text between the braces of the table */
export function nftTable({ family, name }: NftName, protocol: number, content: string): NftTable {
  return { kind: 'nft', family, name, protocol, content, digest: digestOf(content) };
}

/** Of a table for both families of IP. */
export function inet(name: string): NftName {
  return { family: 'inet', name };
}

export function digestOf(text: string): string {
  // Not by node:crypto, which takes 1.5 MiB of every node agent.
  return Buffer.from(sha256(Buffer.from(text))).toString('hex', 0, 8);
}

/** The comment of a table: its owner, and the digest of its intended content. */
function nftComment({ protocol, digest }: NftTable): string {
  return `eiproute protocol ${protocol} digest ${digest}`;
}

/** @returns undefined for the comment of another program's table */
export function parseNftComment(
  text: string,
): { readonly protocol: number; readonly digest: string } | undefined {
  const [, protocol, digest] = /^eiproute protocol (\d{1,3}) digest (\w+)$/.exec(text) ?? [];
  return protocol === undefined || digest === undefined ? undefined : { protocol: Number(protocol), digest };
}

/** The change as one nft transaction: atomic for rules, but not for the lookups of sets that a replacement deletes (decision 33). */
export function nftScript(change: Change): string {
  const object = change.verb === 'delete' ? change.have : change.want;
  if (object.kind !== 'nft') throw new TypeError(`a ${object.kind} is nothing for nft`);
  const table = `${object.family} ${object.name}`;
  const gone = `delete table ${table}\n`;
  if (change.verb === 'delete') return gone;
  // `create` fails on an existing table; `table` alone would silently add to it. nft 1.0.6 silently ignores everything
  // but the comment in a `create` block, hence two blocks.
  const made = `create table ${table} {\n  comment "${nftComment(object)}"\n}\ntable ${table} {\n${object.content}}\n`;
  return change.verb === 'add' ? made : gone + made;
}

/** Name of a chain without rules. Its comment holds the digest of the table as nft lists it after the write. */
export const seal = 'seal';

/** Arguments of nft that list a table; the digest of the seal is computed from this output. */
export function listingOf({ family, name }: NftName): readonly string[] {
  return ['--stateless', '--numeric', 'list', 'table', family, name];
}

/** The shell command that adds the seal to a written table. A table without it counts as changed. */
export function sealCommand(table: NftName): string {
  const listed = isNatTable(table)
    ? `nft ${frameListingOf(table).join(' ')} | ${frameFilter}`
    : `nft ${listingOf(table).join(' ')}`;
  const digest = `$(${listed} | sha256sum | cut -c 1-16)`;
  return `nft add chain ${table.family} ${table.name} ${seal} "{ comment \\"${digest}\\"; }"`;
}
