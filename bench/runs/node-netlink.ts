import { encodeChange } from '../../src/kernel/netlink/change.ts';
import { Flag, headerBytes, MessageWriter, Type } from '../../src/kernel/netlink/message.ts';
import { encodeRouteDump } from '../../src/kernel/netlink/route.ts';
import { parsePrefix } from '../../src/model/ip.ts';
import type { Change, Route } from '../../src/model/object.ts';
import { address, report, task, timed } from './run.ts';

// node-netlink, by its own interface: one talk() after the other, since of several at a time it loses answers.
// It knows no routes, so the messages are ours. Its place comes as the fifth argument.

interface Netlink {
  talk(
    message: { readonly header: Readonly<Record<string, bigint>>; readonly payload: Buffer },
    options: { readonly timeout: number },
  ): Promise<readonly unknown[]>;
  close(): Promise<void>;
}
interface NodeNetlink {
  readonly default: { open(options: { readonly family: number }): Promise<Netlink> };
}

const { count, nhid, table, protocol } = task();
const library: NodeNetlink = await import(process.argv[6] ?? '');
const netlink = await library.default.open({ family: 0 });
const writer = new MessageWriter(4096);

function talk(type: number, flags: number): Promise<readonly unknown[]> {
  const payload = Buffer.from(writer.bytes.slice(headerBytes, writer.length));
  const header = {
    nlmsg_type: BigInt(type),
    nlmsg_flags: BigInt(flags | Flag.NLM_F_REQUEST | Flag.NLM_F_ACK),
  };
  return netlink.talk({ header, payload }, { timeout: 60_000 });
}

async function change(verb: 'add' | 'delete'): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    const dst = parsePrefix(address(i));
    const fixed = { kind: 'route', table, metric: 0, protocol, type: 'unicast', src: undefined } as const;
    const route: Route = { ...fixed, dst, nhid, hops: [] };
    const one: Change = verb === 'add' ? { verb, want: route } : { verb, have: route };
    writer.reset();
    encodeChange(writer, one, 0);
    if (verb === 'add') await talk(Type.RTM_NEWROUTE, Flag.NLM_F_CREATE | Flag.NLM_F_EXCL);
    else await talk(Type.RTM_DELROUTE, 0);
  }
}

async function dump(): Promise<void> {
  writer.reset();
  writer.begin(Type.RTM_GETROUTE, 0, 0);
  encodeRouteDump(writer, { family: 4, table, protocol });
  writer.end();
  const found = await talk(Type.RTM_GETROUTE, Flag.NLM_F_DUMP);
  // Its socket has no strict filters: the other routes of the namespace come along.
  if (found.length < count) throw new Error(`the dump has ${found.length} routes, not ${count}`);
}

report({
  add: await timed(() => change('add')),
  dump: await timed(dump),
  delete: await timed(() => change('delete')),
});
await netlink.close();
