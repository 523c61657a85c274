import type { RoleName } from './config.ts';
import { parseDocument } from './document.ts';

/** What a file is for, told by its keys: only a node's has `eips` and `gateways`. */
export function roleOf(bytes: Uint8Array): RoleName {
  const { root } = parseDocument(new TextDecoder().decode(bytes));
  return root.has('eips') || root.has('gateways') ? 'node' : 'gateway';
}
