import { drainAnnotation, type Node } from '../model/cluster.ts';
import type { ProxyHealth } from '../model/probed.ts';
import { quoted } from '../model/text.ts';
import { leftOut } from './carriers.ts';

/** All that is known of a node as a carrier, at one of its addresses. */
export interface NodeSignals {
  readonly node: Node;
  /** It does not answer ARP or NDP at this address, and that is believed. */
  readonly silent: boolean;
  /** It is new, or was silent, and has not answered for an EIP yet. */
  readonly waits: boolean;
  /** Its kernel answers, and none of its programs does; that is believed. */
  readonly hung: boolean;
  readonly proxy: ProxyHealth;
  /** Whether a cordoned node gets no new flows. */
  readonly cordon: 'drains' | 'ignored';
  /** ms for which it has had a reason to drain */
  readonly drainingFor: number;
  /** ms after which a draining node leaves, with the flows that it still has */
  readonly limit: number;
}

export interface Verdict {
  /**
   * - left out: Kubernetes says that it is no carrier
   * - silent: it is believed to be dead
   * - draining: no new flows, where there is another node; it keeps those that it has
   * - drained: no flows, where there is another node
   * - waiting: no flows yet, where there is another node
   */
  readonly kind: 'carries' | 'left out' | 'silent' | 'draining' | 'drained' | 'waiting';
  /** With 'it' for the node; undefined: it carries. */
  readonly why: string | undefined;
}

const carries: Verdict = { kind: 'carries', why: undefined };
const waits: Verdict = {
  kind: 'waiting',
  why: 'it is new, or back, and does not answer for an EIP that others answer for',
};

/** What a node may be sent, from everything that anybody says of it. */
export function verdict(signals: NodeSignals): Verdict {
  const barred = leftOut(signals.node);
  if (barred !== undefined) return { kind: 'left out', why: barred };
  if (signals.silent) return { kind: 'silent', why: 'it does not answer ARP or NDP' };
  const why = drainReason(signals);
  if (why === undefined) return signals.waits ? waits : carries;
  return { kind: signals.drainingFor < signals.limit ? 'draining' : 'drained', why };
}

/** Why a node is to get no new flows; undefined: it may. */
export function drainReason({
  node,
  hung,
  proxy,
  cordon,
}: Pick<NodeSignals, 'node' | 'hung' | 'proxy' | 'cordon'>): string | undefined {
  if (node.drain !== undefined) return `annotation ${drainAnnotation} is set${byWhom(node.drain)}`;
  if (node.autoscalerDeletes) return 'the cluster autoscaler is about to delete it';
  if (node.unschedulable && cordon === 'drains') return 'it is cordoned';
  if (hung)
    return 'it hangs: its kernel takes connections, and neither kube-proxy nor the kubelet says anything';
  switch (proxy) {
    case 'refuses':
      return 'its kube-proxy says that it should get no traffic (503)';
    case 'gone':
      return 'its kube-proxy answers no more';
    case 'serves':
    case 'unknown':
      return undefined;
    default:
      return proxy satisfies never;
  }
}

/** A plain yes names nobody. */
function byWhom(value: string): string {
  return value === '' || value === 'true' ? '' : ` (${quoted(value)})`;
}
