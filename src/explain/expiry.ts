import { X509Certificate } from 'node:crypto';

/** The end of a credential in ms since the epoch; undefined: it does not say. */
export function tokenExpiry(token: string): number | undefined {
  const [, payload] = token.split('.');
  if (payload === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString());
    const exp = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
    return typeof exp === 'number' ? exp * 1000 : undefined;
  } catch (error) {
    // An opaque token may well have a dot.
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** @throws Error when it is no certificate */
export function certificateExpiry(pem: Buffer): number {
  return Date.parse(new X509Certificate(pem).validTo);
}
