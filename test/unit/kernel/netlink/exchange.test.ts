import { expect } from 'chai';
import type { KernelError as Refusal } from '../../../../src/kernel/kernel.ts';
import { KernelError } from '../../../../src/kernel/kernel.ts';
import { Batcher } from '../../../../src/kernel/netlink/batch.ts';
import { Dumper } from '../../../../src/kernel/netlink/dump.ts';
import {
  Flag,
  MalformedError,
  MessageReader,
  MessageWriter,
  Type,
} from '../../../../src/kernel/netlink/message.ts';
import { nexthopDump, routeDump } from '../../../../src/kernel/netlink/requests.ts';
import { SocketError, type Transport } from '../../../../src/kernel/netlink/transport.ts';
import type { Change } from '../../../../src/model/object.ts';
import { route } from '../../../contract/objects.ts';

// What a kernel does too seldom to wait for it: a stand-in for the socket that answers as told.

type Answer = (writer: MessageWriter, sequence: number) => void;

/** Answers each datagram sent by what `respond` makes of its messages' sequence numbers. */
class Socket implements Transport {
  readonly portId = 1;
  readonly receiveBuffer = 1 << 20;
  readonly sendBuffer = 1 << 20;
  readonly #respond: (sequences: readonly number[]) => readonly (Answer | SocketError)[];
  #answers: (Uint8Array | SocketError)[] = [];
  closed = 0;

  constructor(respond: (sequences: readonly number[]) => readonly (Answer | SocketError)[]) {
    this.#respond = respond;
  }

  filter(): void {}

  async send(bytes: Uint8Array, length: number): Promise<void> {
    const reader = new MessageReader(bytes);
    reader.reset(length);
    const sequences: number[] = [];
    while (reader.next()) sequences.push(reader.sequence);
    for (const answer of this.#respond(sequences)) {
      if (answer instanceof SocketError) {
        this.#answers.push(answer);
        continue;
      }
      const writer = new MessageWriter(4096);
      answer(writer, sequences[0] ?? 0);
      this.#answers.push(writer.bytes.slice(0, writer.length));
    }
  }

  receive(into: Uint8Array): number {
    const answer = this.#answers.shift();
    if (answer instanceof Error) throw answer;
    if (answer === undefined) return -1;
    into.set(answer);
    return answer.length;
  }

  join(): void {}

  async readable(): Promise<void> {}

  close(): void {
    this.closed += 1;
    this.#answers = [];
  }
}

const { signal } = new AbortController();

function errorMessage(writer: MessageWriter, sequence: number, errno: number): void {
  writer.begin(Type.NLMSG_ERROR, Flag.NLM_F_CAPPED, sequence);
  writer
    .u32(-errno >>> 0)
    .u32(16)
    .u16(0)
    .u16(0)
    .u32(sequence)
    .u32(0);
  writer.end();
}

function done(errno = 0, flags = 0): Answer {
  return (writer, sequence) => {
    writer.begin(Type.NLMSG_DONE, flags, sequence);
    writer.u32(-errno >>> 0);
    writer.end();
  };
}

function found(id: number, flags = 0): Answer {
  return (writer, sequence) => {
    writer.begin(Type.RTM_NEWNEXTHOP, flags, sequence);
    writer.u32(0).u32(0);
    writer.attributeU32(1, id);
    writer.end();
  };
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => 'no failure',
    (error: unknown) => error,
  );
}

describe('a dump', () => {
  /** One answer per question; the last one serves for all after it. */
  function dumper(...answers: readonly (readonly (Answer | SocketError)[])[]) {
    const sockets: Socket[] = [];
    let asked = 0;
    const made = new Dumper(() => {
      const socket = new Socket(() => {
        asked += 1;
        return answers[Math.min(asked, answers.length) - 1] ?? [];
      });
      sockets.push(socket);
      return socket;
    });
    return { dumper: made, sockets, asked: () => asked };
  }
  const ids = async (from: Dumper) => (await from.dump(nexthopDump, signal)).map(({ id }) => id);

  it('is asked for again when things changed under it, and what was seen first is forgotten', async () => {
    const interrupted = Flag.NLM_F_DUMP_INTR;
    const at = dumper([found(1), found(2, interrupted), done(0, interrupted)], [found(3), done()]);
    expect(await ids(at.dumper)).to.deep.equal([3]);
  });

  it('is given up when things never cease to change', async () => {
    const at = dumper([found(1, Flag.NLM_F_DUMP_INTR), done()]);
    const error = await failure(ids(at.dumper));
    expect(error).to.be.instanceOf(KernelError).and.to.have.property('code', 'EINTR');
    expect(at.asked()).to.equal(10);
  });

  it('of a table that does not exist is empty, and any other refusal is an error', async () => {
    const filter = { family: 4, table: 99, protocol: 86 } as const;
    expect(await dumper([done(2)]).dumper.dump(routeDump(filter), signal)).to.deep.equal([]);
    const refused = dumper([(writer, sequence) => errorMessage(writer, sequence, 1)]);
    expect(await failure(ids(refused.dumper))).to.have.property('code', 'EPERM');
    const missing = dumper([done(2)]);
    expect(await failure(ids(missing.dumper))).to.have.property('code', 'ENOENT');
  });

  it('without an end is an error, and the next one has a socket of its own', async () => {
    const at = dumper([found(1)], [found(2), done()]);
    expect(await failure(ids(at.dumper))).to.be.instanceOf(MalformedError);
    expect(at.sockets[0]?.closed).to.equal(1);
    expect(await ids(at.dumper)).to.deep.equal([2]);
    expect(at.sockets.length).to.equal(2);
  });

  it('that lost something is an error, never a short list', async () => {
    const at = dumper([found(1), new SocketError('recv', 'ENOBUFS'), done()], [found(1), done()]);
    expect(await failure(ids(at.dumper))).to.be.instanceOf(SocketError);
    expect(await ids(at.dumper)).to.deep.equal([1]);
  });

  it('does not take the answers of another question', async () => {
    const stale: Answer = (writer, sequence) => found(1)(writer, sequence - 1);
    expect(await ids(dumper([stale, found(2), done()]).dumper)).to.deep.equal([2]);
  });
});

describe('a batch', () => {
  const changes = Array.from(
    { length: 5000 },
    (_, i): Change => ({
      verb: 'add',
      want: route(`198.18.${i >> 8}.${i & 255}`, { nhid: 7 }),
    }),
  );

  async function outcomes(socket: Socket): Promise<readonly (Refusal | undefined)[]> {
    const found: (Refusal | undefined)[] = changes.map(() => undefined);
    await new Batcher(socket).apply({ changes, from: 0, to: changes.length, outcomes: found }, signal);
    return found;
  }

  it('puts every refusal at the place of its change, over all batches', async () => {
    let batches = 0;
    const socket = new Socket((sequences) => {
      batches += 1;
      expect(sequences.length).to.be.at.most((1 << 20) / 832 / 2);
      return sequences
        .filter((sequence, i) => sequence % 7 === 0 || i === sequences.length - 1)
        .map((sequence) => (writer: MessageWriter) => {
          errorMessage(writer, sequence, sequence % 7 === 0 ? 17 : 0);
        });
    });
    const codes = (await outcomes(socket)).map((outcome) => outcome?.code);
    expect(codes).to.deep.equal(changes.map((_, i) => (i % 7 === 0 ? 'EEXIST' : undefined)));
    expect(batches).to.be.greaterThan(5);
  });

  it('tells of the answers to it while the next one is on its way', async () => {
    let sent = 0;
    const socket = new Socket((sequences) => {
      sent += sequences.length;
      const last = sequences.at(-1) ?? 0;
      return [(writer) => errorMessage(writer, last, 17)];
    });
    const found: (Refusal | undefined)[] = changes.map(() => undefined);
    const told: { readonly to: number; readonly refused: boolean; readonly isNextSent: boolean }[] = [];
    const answered = (to: number): void => {
      const outcome = found[to - 1];
      told.push({ to, refused: outcome?.code === 'EEXIST', isNextSent: sent > to });
    };
    const run = { changes, from: 0, to: changes.length, outcomes: found, answered };
    await new Batcher(socket).apply(run, signal);
    expect(told.length).to.be.greaterThan(3);
    expect(told.every(({ refused, isNextSent }) => refused && isNextSent)).to.equal(true);
    expect(told.map(({ to }) => to)).to.deep.equal(
      [...new Set(told.map(({ to }) => to))].sort((a, b) => a - b),
    );
  });

  it('whose answers were lost is an error: what was done is not known', async () => {
    const lost = new Socket(() => [new SocketError('recv', 'ENOBUFS')]);
    expect(await failure(outcomes(lost)))
      .to.be.instanceOf(SocketError)
      .and.to.have.property('code', 'ENOBUFS');
    const silent = new Socket(() => []);
    expect(await failure(outcomes(silent))).to.be.instanceOf(SocketError);
  });

  it('is not begun once it is aborted', async () => {
    const socket = new Socket(() => expect.fail('it was sent'));
    const run = { changes, from: 0, to: changes.length, outcomes: [] };
    const reason = new Error('enough');
    expect(await failure(new Batcher(socket).apply(run, AbortSignal.abort(reason)))).to.equal(reason);
  });
});
