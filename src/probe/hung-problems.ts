import type { Ip } from '../model/ip.ts';
import type { Problem } from '../model/problem.ts';
import { someNames } from '../model/some-names.ts';
import { type Doubt, doubtFor } from './judge.ts';

/** Node names that a sentence holds. */
const mostNames = 5;

/** The ports of kube-proxy's health check and of the kubelet. */
export interface ProgramPorts {
  readonly proxy: number;
  readonly kubelet: number;
}

export function hungNode(node: string, ip: Ip, { proxy, kubelet }: ProgramPorts): Problem {
  return {
    code: 'node-hung',
    severity: 'warn',
    subject: `node ${node} (${ip})`,
    message: `no program of node ${node} seems to run: its kernel takes connections at ${ip}, and neither kube-proxy (port ${proxy}) nor the kubelet (port ${kubelet}) says anything; it gets no new connections while other nodes serve`,
    advice: `look at its memory, swap and disks by its console: programs that wait for them are in state D in ps, and dmesg names hung tasks`,
    node,
  };
}

/** @param names of the nodes that are doubted */
export function doubtedHung({ of, kind, asked }: Doubt, names: readonly string[]): Problem {
  const list = someNames(names, mostNames);
  const what = 'kernels take connections, and neither kube-proxy nor the kubelet says anything';
  return {
    code: 'hung-doubted',
    severity: 'error',
    subject: `programs of ${kind === 'all' ? 'all' : 'many'} nodes (IPv${of})`,
    message:
      kind === 'all'
        ? `no program seems to run on any of the nodes (${list}): their ${what}. The fault is probably this gateway or a firewall, and no node drains for it`
        : `no program seems to run on ${names.length} of ${asked} nodes (${list}): their ${what}. They fell silent together with too many others, so this is doubted, and they stay in use until they have been silent for ${doubtFor / 1000} s in which others answered`,
    advice: 'check the load of this gateway (top, vmstat 1), and firewalls between it and the nodes',
  };
}
