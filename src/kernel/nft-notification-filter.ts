import type { NftName } from '../model/object.ts';
import type { Hint } from './kernel.ts';
import type { MessageReader } from './netlink/message.ts';
import type { Nft } from './nft.ts';
import type { Filter } from './notification-reader.ts';

/** NETLINK_NETFILTER */
export const netfilter = 12;
/** NFNLGRP_NFTABLES */
export const nftGroup = 7;

const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = 15;
/** The name of the table: the same number for tables, chains, rules, sets, elements, objects and flowtables. */
const NFTA_TABLE = 1;
/** nfgenmsg */
const fixedBytes = 4;

/** Passes notifications of nf_tables about our tables, unless a process of ours caused them. */
export class NftNotificationFilter implements Filter {
  readonly #nft: Nft;
  #tables: readonly NftName[] = [];

  constructor(nft: Nft) {
    this.#nft = nft;
  }

  /** @param tables ours */
  listed(tables: readonly NftName[]): void {
    this.#tables = tables;
  }

  hintOf(message: MessageReader): Hint | undefined {
    if (message.type >> 8 !== NFNL_SUBSYS_NFTABLES || (message.type & 0xff) === NFT_MSG_NEWGEN)
      return undefined;
    if (this.#nft.isOwn(message.port)) return undefined;
    message.attributes(fixedBytes);
    while (message.nextAttribute()) {
      if (message.attribute !== NFTA_TABLE) continue;
      const text = message.text();
      const table = this.#tables.find(({ name }) => name === text);
      if (table === undefined) return undefined;
      return { kind: 'nft', text: `nft table ${table.family} ${text} was changed by pid ${message.port}` };
    }
    return undefined;
  }

  async changedSettings(): Promise<readonly Hint[]> {
    return [];
  }
}
