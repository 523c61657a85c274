import type { RoleName } from './config.ts';
import { parseDocument } from './document.ts';

/** What a file is for, told by its keys: only a node's has `eips`, `eipsFrom` and `gateways`. */
export function roleOf(bytes: Uint8Array): RoleName {
  const { root } = parseDocument(new TextDecoder().decode(bytes));
  return ['eips', 'eipsFrom', 'gateways'].some((key) => root.has(key)) ? 'node' : 'gateway';
}
