import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { type Ip, ipBytes } from '../../../src/model/ip.ts';

/** A server's certificate and key, and the certificate of the authority that signed it; all PEM. */
export interface ServerCertificate {
  readonly authority: string;
  readonly certificate: string;
  readonly key: string;
}

// Node can make keys and signatures but no certificates. What TLS needs of X.509 (RFC 5280) is the few lines of DER
// below: 3 ms, where running openssl takes 30 ms and must be installed.

const oid = {
  ecdsaWithSha256: [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02],
  commonName: [0x55, 0x04, 0x03],
  basicConstraints: [0x55, 0x1d, 0x13],
  keyUsage: [0x55, 0x1d, 0x0f],
  subjectAltName: [0x55, 0x1d, 0x11],
} as const;

const day = 86_400_000;

/**
 * @param addresses the server is reached at
 * @param names DNS names it is reached at
 */
export function serverCertificate(
  addresses: readonly Ip[],
  names: readonly string[],
  now = Date.now(),
): ServerCertificate {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const server = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const alternatives = [
    ...names.map((name) => der(0x82, Buffer.from(name, 'ascii'))),
    ...addresses.map((ip) => der(0x87, ipBytes(ip))),
  ];
  const issue = (subject: string, key: KeyObject, extensions: readonly Buffer[]): string =>
    certificate(subject, 'eiproute demo CA', key, authority.privateKey, extensions, now);
  return {
    authority: issue('eiproute demo CA', authority.publicKey, [
      extension(oid.basicConstraints, sequence(boolean)),
      // keyCertSign
      extension(oid.keyUsage, der(0x03, [2, 0b0000_0100])),
    ]),
    certificate: issue('eiproute demo API server', server.publicKey, [
      extension(oid.subjectAltName, sequence(...alternatives)),
    ]),
    key: server.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

function certificate(
  subject: string,
  issuer: string,
  key: KeyObject,
  signer: KeyObject,
  extensions: readonly Buffer[],
  now: number,
): string {
  const algorithm = sequence(der(0x06, oid.ecdsaWithSha256));
  const body = sequence(
    der(0xa0, der(0x02, [2])), // version 3
    der(0x02, [0x01, ...randomBytes(8)]), // serial number, positive
    algorithm,
    name(issuer),
    sequence(time(now - day), time(now + 30 * day)),
    name(subject),
    key.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = der(0x03, Buffer.from([0]), sign('sha256', body, signer));
  const text = sequence(body, algorithm, signature).toString('base64').replace(/.{64}/g, '$&\n');
  return `-----BEGIN CERTIFICATE-----\n${text}\n-----END CERTIFICATE-----\n`;
}

const boolean = der(0x01, [0xff]);

function name(commonName: string): Buffer {
  return sequence(der(0x31, sequence(der(0x06, oid.commonName), der(0x0c, Buffer.from(commonName)))));
}

function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return der(0x17, Buffer.from(`${digits}Z`, 'ascii'));
}

function extension(id: readonly number[], value: Buffer): Buffer {
  return sequence(der(0x06, id), boolean, der(0x04, value)); // critical
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

/** One DER value: tag, length, content. */
function der(tag: number, ...parts: readonly (Uint8Array | readonly number[])[]): Buffer {
  const content = Buffer.concat(parts.map((part) => Uint8Array.from(part)));
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
