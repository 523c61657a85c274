import { KernelError } from '../../src/kernel/kernel.ts';
import type { Heard, SegmentPort } from '../../src/kernel/segment-port.ts';
import type { Ip } from '../../src/model/ip.ts';

/** A wire in memory: whoever is on it hears what the others say. */
export class Wire {
  readonly ports = new Set<MemorySegment>();
  /** Link-layer addresses of the hosts that have an address, and say so when they are asked. */
  readonly hosts = new Map<Ip, string>();
  /** What was sent by the ports, in order: `probe 198.51.100.10`. */
  readonly sent: string[] = [];

  /** A host says something of an address. */
  say(heard: Heard): void {
    for (const port of this.ports) port.hear(heard);
  }
}

/** The segment port of one gateway on a {@link Wire}. */
export class MemorySegment implements SegmentPort {
  readonly #wire: Wire;
  readonly #mac: string;
  #isBound = false;
  #queue: Heard[] = [];
  #wake: (() => void) | undefined;
  /** The name of an error that binding ends with: 'EPERM'. */
  refuses: string | undefined;

  constructor(wire: Wire, mac: string) {
    this.#wire = wire;
    this.#mac = mac;
  }

  bind(_link: number): string {
    if (this.refuses !== undefined) throw new KernelError(this.refuses, 'socket on a packet socket');
    this.#isBound = true;
    this.#wire.ports.add(this);
    return this.#mac;
  }

  async probe(ips: readonly Ip[]): Promise<void> {
    this.#send('probe', ips);
    for (const ip of ips) {
      const mac = this.#wire.hosts.get(ip);
      if (mac !== undefined) this.#wire.say({ kind: 'claim', ip, mac });
    }
  }

  async announce(ips: readonly Ip[]): Promise<void> {
    this.#send('claim', ips);
  }

  async *heard(signal: AbortSignal): AsyncGenerator<readonly Heard[]> {
    while (!signal.aborted) {
      const heard = this.#queue;
      this.#queue = [];
      if (heard.length > 0) {
        yield heard;
        continue;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wake = resolve;
      signal.addEventListener('abort', () => resolve(), { once: true });
      await promise;
    }
  }

  hear(heard: Heard): void {
    if (heard.mac === this.#mac) return;
    this.#queue.push(heard);
    this.#wake?.();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#wire.ports.delete(this);
    this.#wake?.();
  }

  #send(kind: Heard['kind'], ips: readonly Ip[]): void {
    if (!this.#isBound) throw new KernelError('ENOTCONN', 'no interface is bound');
    for (const ip of ips) {
      this.#wire.sent.push(`${kind} ${ip}`);
      this.#wire.say({ kind, ip, mac: this.#mac });
    }
  }
}
