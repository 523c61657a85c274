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
  #names: readonly string[] = [];

  constructor(nft: Nft) {
    this.#nft = nft;
  }

  /** @param names of our tables */
  listed(names: readonly string[]): void {
    this.#names = names;
  }

  hintOf(message: MessageReader): Hint | undefined {
    if (message.type >> 8 !== NFNL_SUBSYS_NFTABLES || (message.type & 0xff) === NFT_MSG_NEWGEN)
      return undefined;
    if (this.#nft.isOwn(message.port)) return undefined;
    message.attributes(fixedBytes);
    while (message.nextAttribute()) {
      if (message.attribute !== NFTA_TABLE) continue;
      const name = message.text();
      if (!this.#names.includes(name)) return undefined;
      return { kind: 'nft', text: `nft table inet ${name} was changed by pid ${message.port}` };
    }
    return undefined;
  }

  async changedSettings(): Promise<readonly Hint[]> {
    return [];
  }
}
