import type { RoleName } from './config.ts';
import { parseDocument } from './document.ts';

/** The role of a file, by its keys: only a node's file has `eips`, `eipsFrom`, `follow` and `gateways`. */
export function roleOf(bytes: Uint8Array): RoleName {
  const { root } = parseDocument(new TextDecoder().decode(bytes));
  return ['eips', 'eipsFrom', 'follow', 'gateways'].some((key) => root.has(key)) ? 'node' : 'gateway';
}
