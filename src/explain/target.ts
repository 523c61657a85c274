import { parseIp } from '../model/ip.ts';

/** What a person asks `eiproute trace` about. */
export interface Target {
  /** An address, `namespace/name`, or a name. */
  readonly of: string;
  readonly port: number | undefined;
}

/** Reads `198.51.100.10`, `198.51.100.10:80`, `[2001:db8::1]:80`, `default/web` or `web`; undefined: none of these. */
export function parseTarget(text: string): Target | undefined {
  if (isIp(text)) return { of: parseIp(text), port: undefined };
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const address = bracketed ?? plain;
  if (address !== undefined) {
    const port = Number(digits);
    return isIp(address) && port >= 1 && port <= 65_535 ? { of: parseIp(address), port } : undefined;
  }
  return /^([a-z0-9-]+\/)?[a-z][a-z0-9-]*$/.test(text) ? { of: text, port: undefined } : undefined;
}

function isIp(text: string): boolean {
  try {
    parseIp(text);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
