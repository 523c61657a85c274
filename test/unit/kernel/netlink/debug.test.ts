import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import fc from 'fast-check';
import { encodeChange } from '../../../../src/kernel/netlink/change.ts';
import { messageLines, PrintedTransport } from '../../../../src/kernel/netlink/debug.ts';
import { encodeLinkDump } from '../../../../src/kernel/netlink/link.ts';
import { Flag, MessageWriter, Type } from '../../../../src/kernel/netlink/message.ts';
import { encodeNeighbourUse } from '../../../../src/kernel/netlink/neighbour.ts';
import type { Transport } from '../../../../src/kernel/netlink/transport.ts';
import { parseIp } from '../../../../src/model/ip.ts';
import type { KernelObject } from '../../../../src/model/object.ts';
import {
  group,
  groupId,
  nexthop,
  nexthopId,
  proxyNeighbour,
  route,
  rule,
} from '../../../contract/objects.ts';

const golden = new URL('debug.txt', import.meta.url);
const resilience = { buckets: 128, idleTimer: 120, unbalancedTimer: 0 };
const objects: readonly Exclude<KernelObject, { kind: 'sysctl' | 'nft' }>[] = [
  nexthop(nexthopId(1), '10.0.0.11', 2),
  nexthop(nexthopId(2), '2001:db8:10::12', 2),
  group(groupId(1), [nexthopId(1), nexthopId(3)]),
  { ...group(groupId(3), []), members: [{ id: nexthopId(1), weight: 3 }] },
  group(groupId(2), [nexthopId(1)], resilience),
  route('198.51.100.10', { nhid: groupId(1) }),
  route('2001:db8:e::/64', { type: 'unreachable', metric: 1_000_000 }),
  rule(4, 1001, 101, { mark: { value: 0x100000, mask: 0xf00000 }, iif: 'eth0.100' }),
  proxyNeighbour('2001:db8:e::10', 3),
];

function lines(direction: '>' | '<', write: (writer: MessageWriter) => void): readonly string[] {
  const writer = new MessageWriter(4096);
  write(writer);
  return messageLines(direction, writer.bytes, writer.length);
}

/** An answer to a message of this type; the header of the message is all that comes along. */
function answer(writer: MessageWriter, errno: number, words?: string): void {
  const tlvs = words === undefined ? 0 : Flag.NLM_F_ACK_TLVS;
  writer.begin(Type.NLMSG_ERROR, Flag.NLM_F_CAPPED | tlvs, 7);
  writer.u32(-errno >>> 0);
  writer.u32(52).u16(Type.RTM_NEWROUTE).u16(0).u32(7).u32(0);
  if (words !== undefined) writer.attributeText(1, words);
  writer.end();
}

describe('netlink messages in words', () => {
  it('read as in debug.txt beside this test', () => {
    const all = [
      ...lines('>', (writer) => {
        for (const [i, want] of objects.entries()) encodeChange(writer, { verb: 'add', want }, i);
        writer.addFlags(Flag.NLM_F_ACK);
      }),
      ...lines('>', (writer) => {
        for (const [i, have] of objects.entries()) encodeChange(writer, { verb: 'delete', have }, i);
      }),
      ...lines('>', (writer) => {
        writer.begin(Type.RTM_GETLINK, Flag.NLM_F_REQUEST | Flag.NLM_F_DUMP, 5);
        encodeLinkDump(writer);
        writer.end();
        writer.begin(Type.RTM_NEWNEIGH, Flag.NLM_F_REQUEST | Flag.NLM_F_CREATE, 6);
        encodeNeighbourUse(writer, parseIp('10.0.0.11'), 2);
        writer.end();
      }),
      ...lines('<', (writer) => {
        answer(writer, 0);
        answer(writer, 17);
        answer(writer, 22, 'Nexthop id does not exist');
      }),
      ...lines('<', (writer) => {
        writer.begin(Type.RTM_NEWLINK, 0x2, 8);
        writer.u8(0).u8(0).u16(1).u32(2).u32(0x10043).u32(0);
        writer.attributeText(3, 'eth0\n');
        writer.attributeBytes(1, Uint8Array.of(2, 0, 0x5e, 0, 0x53, 1));
        writer.attributeBytes(99, new Uint8Array(40));
        writer.end();
        writer.begin(4711, 0, 9);
        writer.u32(1);
        writer.end();
        writer.begin(Type.NLMSG_DONE, 0x2, 8);
        writer.u32(0);
        writer.end();
      }),
      ...lines('<', (writer) => {
        writer.begin(Type.RTM_NEWROUTE, 0, 1);
        writer.u8(2).u8(32).u8(0).u8(0).u8(254).u8(86).u8(0).u8(1).u32(0);
        writer.attributeBytes(30, Uint8Array.of(1, 2));
        writer.end();
      }),
    ];
    expect(`${all.join('\n')}\n`).to.equal(readFileSync(golden, 'utf8'));
  });

  it('take any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        for (const line of messageLines('<', bytes, bytes.length)) expect(line).to.match(/^< /);
      }),
    );
    // A header that is right, so that what follows is read.
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.values(Type)),
        fc.uint8Array({ maxLength: 120 }),
        (type, bytes) => {
          const all = lines('<', (writer) => {
            writer.begin(type, 0, 1);
            writer.raw(bytes).end();
          });
          expect(all).to.have.length(1);
        },
      ),
    );
  });

  it('are printed on their way, and nothing else of a transport changes', async () => {
    const sent: number[] = [];
    const inner: Transport = {
      portId: 4711,
      receiveBuffer: 1,
      sendBuffer: 2,
      send: async (_, length) => {
        sent.push(length);
      },
      receive: (into) => {
        const writer = new MessageWriter(4096);
        answer(writer, 0);
        into.set(writer.bytes.subarray(0, writer.length));
        return writer.length;
      },
      filter: () => {},
      join: () => undefined,
      readable: async () => undefined,
      close: () => undefined,
    };
    const printed: string[] = [];
    const transport = new PrintedTransport(inner, 'commands', (line) => printed.push(line));
    const writer = new MessageWriter(4096);
    writer.begin(Type.RTM_GETLINK, Flag.NLM_F_REQUEST, 5);
    encodeLinkDump(writer);
    writer.end();
    await transport.send(writer.bytes, writer.length);
    expect(sent).to.deep.equal([writer.length]);
    expect(transport.receive(new Uint8Array(4096))).to.equal(36);
    expect([transport.portId, transport.receiveBuffer, transport.sendBuffer]).to.deep.equal([4711, 1, 2]);
    expect(printed.map((line) => line.split(' ').slice(0, 5).join(' '))).to.deep.equal([
      'netlink commands: > RTM_GETLINK seq',
      'netlink commands: < NLMSG_ERROR seq',
    ]);
  });
});
