import { digestOf, parseNftComment } from '../model/nft.ts';
import type { NftName, NftTable } from '../model/object.ts';

/** @param text as `nft list table` prints it */
export function parseTable({ family, name }: NftName, text: string): NftTable {
  const { content, seal: sealed } = unsealed(text);
  const [, comment = ''] = /^\tcomment "([^"]*)"$/m.exec(text) ?? [];
  const whose = parseNftComment(comment);
  const found = digestOf(content);
  const intact = whose !== undefined && sealed === found;
  return {
    kind: 'nft',
    family,
    name,
    protocol: whose?.protocol ?? 0,
    content,
    digest: intact ? whose.digest : `touched ${found}`,
  };
}

/** The text without the chain that seals it, and the digest of the seal. */
export function unsealed(text: string): { readonly content: string; readonly seal: string | undefined } {
  const chain = /\n*\tchain seal \{\n\t\tcomment "(\w+)"\n\t\}\n/;
  return { content: text.replace(chain, '\n'), seal: chain.exec(text)?.[1] };
}
