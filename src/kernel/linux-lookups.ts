import { AF_INET6, libc, SOCK_CLOEXEC, SOCK_DGRAM } from '../libc.ts';
import { type Family, family, type Ip } from '../model/ip.ts';
import type { Route } from '../model/object.ts';
import { KernelError } from './kernel.ts';
import type { Lookup, LookupPort, Question, TableRule } from './lookup-port.ts';
import { Mutex } from './mutex.ts';
import { Batcher } from './netlink/batch.ts';
import { Dumper } from './netlink/dump.ts';
import { ruleDump } from './netlink/requests.ts';
import type { FoundRule } from './netlink/rule.ts';
import { openTransport, type Transport } from './netlink/transport.ts';
import { withKernelErrors } from './netlink-failure.ts';
import { socketAddress } from './socket-address.ts';

/** An answer is charged with 832 bytes. */
const answerBuffer = 256 << 10;
/** What becomes of the packet; any other errno is of the question. */
const verdicts = new Set(['EACCES', 'ENETUNREACH', 'EHOSTUNREACH', 'EINVAL', 'EXDEV']);
/** Any port: nothing is sent. */
const discard = 9;

/** The choice of a route in this network namespace, with sockets of its own: a batch of routes delays no question. */
export class LinuxLookups implements LookupPort {
  readonly #transport: Transport;
  readonly #batcher: Batcher;
  readonly #dumper: Dumper;
  readonly #running = new Mutex();

  /** @throws SocketError */
  constructor() {
    const open = (): Transport => openTransport({ name: 'lookups', receiveBuffer: answerBuffer, groups: [] });
    this.#transport = open();
    this.#batcher = new Batcher(this.#transport);
    this.#dumper = new Dumper(open);
  }

  ask(questions: readonly Question[], signal: AbortSignal): Promise<readonly Lookup[]> {
    if (questions.length === 0) return Promise.resolve([]);
    return this.#run(async () => {
      const found = await this.#batcher.lookups(questions, signal);
      return questions.map(({ dst }, i) => lookupOf(dst, found[i]));
    });
  }

  rules(of: Family, signal: AbortSignal): Promise<readonly TableRule[]> {
    return this.#run(async () => (await this.#dumper.dump(ruleDump(of), signal)).flatMap(tableRule));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.run(async () => {
      this.#dumper.close();
      this.#transport.close();
    });
  }

  #run<T>(work: () => Promise<T>): Promise<T> {
    return this.#running.run(() => withKernelErrors(work));
  }
}

function lookupOf(dst: Ip, found: Route | KernelError | undefined): Lookup {
  if (found instanceof KernelError) {
    const { code } = found;
    // The hops of its route are more than an answer has room for.
    if (code === 'EMSGSIZE') return { kind: 'unnamed' };
    if (!verdicts.has(code)) throw found;
    return code === 'ENETUNREACH' && family(dst) === 6 && hasRoute(dst)
      ? { kind: 'unnamed' }
      : { kind: 'refused', code };
  }
  return found === undefined ? { kind: 'unnamed' } : { kind: 'route', route: found };
}

/** Whether a datagram could be sent there. None is. */
function hasRoute(to: Ip): boolean {
  const fd = libc.socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const address = socketAddress(to, discard);
  const isConnected = libc.connect(fd, address, address.length) === 0;
  libc.close(fd);
  return isConnected;
}

function tableRule({ table, rule }: FoundRule): readonly TableRule[] {
  if (table === undefined) return [];
  return [{ table, mark: rule?.mark?.value, isSelective: rule === undefined || rule.from !== undefined }];
}
