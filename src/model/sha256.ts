/** The first 64 primes. */
const primes: readonly number[] = firstPrimes(64);
/** 32 bits of the fraction of the square roots of the first eight, and of the cube roots of all (FIPS 180-4, 5.3.3, 4.2.2). */
const initial = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
const constants = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
const blockBytes = 64;

/**
 * SHA-256 of the UTF-8 of a text, for texts of a few KiB: Node's own takes 1.5 MiB of memory (docs/performance.md), and a
 * node agent needs nothing else of it.
 *
 * @returns 32 bytes
 */
export function sha256(text: string): Buffer {
  const padded = paddedBytes(Buffer.from(text));
  const state = Int32Array.from(initial);
  const schedule = new Int32Array(64);
  for (let at = 0; at < padded.length; at += blockBytes) {
    spread(padded, at, schedule);
    compress(state, schedule);
  }
  const digest = Buffer.alloc(32);
  for (let i = 0; i < state.length; i += 1) digest.writeInt32BE(state[i] ?? 0, 4 * i);
  return digest;
}

/** The message, a bit that is set, zeros, and the number of its bits: whole blocks (5.1.1). */
function paddedBytes(message: Buffer): Buffer {
  const blocks = Math.ceil((message.length + 9) / blockBytes);
  const padded = Buffer.alloc(blocks * blockBytes);
  message.copy(padded);
  padded[message.length] = 0x80;
  padded.writeBigUInt64BE(BigInt(message.length) * 8n, padded.length - 8);
  return padded;
}

/** The message schedule of a block (6.2.2, step 1). Rotations are written out: an agent compiles no machine code, and calls cost. */
function spread(bytes: Buffer, from: number, into: Int32Array): void {
  for (let i = 0; i < 16; i += 1) into[i] = bytes.readInt32BE(from + 4 * i);
  for (let i = 16; i < 64; i += 1) {
    const a = into[i - 15] ?? 0;
    const b = into[i - 2] ?? 0;
    const small0 = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
    const small1 = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
    into[i] = (into[i - 16] ?? 0) + small0 + (into[i - 7] ?? 0) + small1;
  }
}

/** Steps 2 to 4. The letters are those of the standard. */
function compress(state: Int32Array, schedule: Int32Array): void {
  let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = state;
  for (let i = 0; i < 64; i += 1) {
    const big1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
    const chosen = (e & f) ^ (~e & g);
    const first = (h + big1 + chosen + (constants[i] ?? 0) + (schedule[i] ?? 0)) | 0;
    const big0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
    const majority = (a & b) ^ (a & c) ^ (b & c);
    h = g;
    g = f;
    f = e;
    e = (d + first) | 0;
    d = c;
    c = b;
    b = a;
    a = (first + big0 + majority) | 0;
  }
  [a, b, c, d, e, f, g, h].forEach((value, i) => {
    state[i] = (state[i] ?? 0) + value;
  });
}

function fraction(root: number): number {
  return ((root % 1) * 2 ** 32) | 0;
}

function firstPrimes(count: number): readonly number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate += 1) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  }
  return found;
}
