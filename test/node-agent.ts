import { parseIp, parsePrefix } from '../src/model/ip.ts';
import type { NodeAgent } from '../src/model/node-agent.ts';

/** The agent of a node, with one network and one gateway. */
export const agent: NodeAgent = {
  eips: [parsePrefix('198.51.100.0/24')],
  gateways: [{ address: parseIp('10.0.0.1'), table: 101, mark: 0x100000 }],
  interface: 'eth0',
  localTable: 100,
  priorities: { marks: 1001, local: 1100, replies: 1101 },
  markMask: 0xf00000,
  protocol: 86,
  literalLocal: false,
};
