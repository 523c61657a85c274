import { createHash } from 'node:crypto';
import type { Change, NftTable } from './object.ts';

/** @param content sets, chains and rules, as they stand between the braces of the table */
export function nftTable(name: string, protocol: number, content: string): NftTable {
  return { kind: 'nft', name, protocol, content, digest: digestOf(content) };
}

export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** What we write into the comment of a table: whose it is, and what was meant to be in it. */
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

/** The change as one transaction of nft: all of it happens, or nothing. */
export function nftScript(change: Change): string {
  const object = change.verb === 'delete' ? change.have : change.want;
  if (object.kind !== 'nft') throw new TypeError(`a ${object.kind} is nothing for nft`);
  const gone = `delete table inet ${object.name}\n`;
  if (change.verb === 'delete') return gone;
  // `create` refuses to add to a table that is there, where `table` alone would do it without a word. What a
  // block behind `create` holds besides the comment is left out without a word (nft 1.0.6), hence two blocks.
  const made = `create table inet ${object.name} {\n  comment "${nftComment(object)}"\n}\ntable inet ${object.name} {\n${object.content}}\n`;
  return change.verb === 'add' ? made : gone + made;
}

/** Name of a chain without rules whose comment holds the digest of the table as nft printed it once written. */
export const seal = 'seal';

/** What nft prints of a table: the words that its digest is made of. */
export function listingOf(name: string): readonly string[] {
  return ['--stateless', '--numeric', 'list', 'table', 'inet', name];
}

/** In a shell what the program does once a table is written: without its seal a table counts as touched. */
export function sealCommand(name: string): string {
  const digest = `$(nft ${listingOf(name).join(' ')} | sha256sum | cut -c 1-16)`;
  return `nft add chain inet ${name} ${seal} "{ comment \\"${digest}\\"; }"`;
}
