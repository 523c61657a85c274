import { X509Certificate } from 'node:crypto';

/**
 * When a client certificate ends.
 *
 * @param pem the first certificate in it counts
 * @returns ms since the epoch
 */
export function certificateEnd(pem: Buffer): number {
  return new X509Certificate(pem).validToDate.getTime();
}

/**
 * When a token ends that says so itself, as those of Kubernetes do (JSON Web Tokens). Nothing is verified: the API server
 * does that.
 *
 * @returns ms since the epoch; undefined for any other token
 */
export function tokenEnd(token: string): number | undefined {
  const [, payload, signature] = token.split('.');
  if (payload === undefined || signature === undefined) return undefined;
  let claims: unknown;
  try {
    claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return undefined;
  }
  const end = typeof claims === 'object' && claims !== null && 'exp' in claims ? claims.exp : undefined;
  return typeof end === 'number' ? end * 1000 : undefined;
}

export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  const known = times.filter((time) => time !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}
