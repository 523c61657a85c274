import type { Ip } from './ip.ts';

/** Every code, in alphabetical order; docs/problems.md says of each what it means and what to do. */
export const problemCodes = [
  'agent-lacks-gateway',
  'agent-lacks-pool',
  'agent-not-told',
  'allocation-refused',
  'announce-table-in-use',
  'cluster-not-remembered',
  'config-refused',
  'conntrack-entries',
  'conntrack-full',
  'covering-not-remembered',
  'default-route-refused',
  'eip-claimed',
  'eip-duplicate',
  'eip-held-by-another',
  'eip-left-to-proxy',
  'eip-no-common-node',
  'eip-no-node',
  'eip-not-allowed',
  'eip-outside-pools',
  'eip-port-twice',
  'eip-reserved',
  'eip-shadowed',
  'eips-lack-published',
  'eips-not-read',
  'eips-not-remembered',
  'eips-overlap-network',
  'eips-refused',
  'eips-unknown',
  'events-refused',
  'fight',
  'flow-label',
  'gateway-awaited',
  'gateway-is-self',
  'gateway-unresolved',
  'gateways-lack-published',
  'gateways-not-remembered',
  'gateways-unknown',
  'hash-seed',
  'hung-doubted',
  'interface-down',
  'interface-missing',
  'kernel-too-old',
  'kubeconfig-mode',
  'lan-without-address',
  'lease-trouble',
  'nat',
  'nat-no-node-port',
  'nat-too-many-ranges',
  'neighbour-table-full',
  'neighbour-table-small',
  'nft-missing',
  'no-cap-net-admin',
  'no-ipv4-address',
  'no-ipv6-address',
  'node-address-in-two-clusters',
  'node-address-invalid',
  'node-address-twice',
  'node-does-not-say-it-serves',
  'node-flaps',
  'node-hung',
  'node-is-gateway',
  'node-is-router',
  'node-not-on-lan',
  'node-not-ready',
  'node-silent',
  'object-part-unreadable',
  'object-unreadable',
  'pool-holds-reserved',
  'probe-blind',
  'probe-doubted',
  'proxy-not-used',
  'publish-name-taken',
  'publish-refused',
  'published-empty',
  'published-not-read',
  'published-refused',
  'published-too-many',
  'published-unreadable',
  'remembered-cluster-unreadable',
  'remembered-eips-unreadable',
  'remembered-gateways-unreadable',
  'route-lookup',
  'segment-blind',
  'segment-size',
  'segment-without-ipv6',
  'service-asks-otherwise',
  'service-waits',
  'services-wait',
  'status-contested',
  'status-refused',
  'sysctl-ledger-damaged',
  'sysctl-ledger-not-saved',
  'sysctl-missing',
  'tls-not-verified',
] as const;

export type ProblemCode = (typeof problemCodes)[number];

/**
 * A condition that a person should know: it prevents a part of the work. Logged once when it appears and once when it
 * is solved. Two problems with the same `code` and `subject` are the same one.
 */
export interface Problem {
  /** Stable and greppable: 'eip-outside-pools'. */
  readonly code: ProblemCode;
  readonly severity: 'warn' | 'error';
  /** What it is about: an EIP, `Service default/web`, `interface eth0`. */
  readonly subject: string;
  /** What happened and why. */
  readonly message: string;
  /** What to do about it. */
  readonly advice: string;
  readonly eip?: Ip;
  readonly service?: string;
  readonly node?: string;
  /** The part of the message that tells why, where several problems with one reason are told as one. */
  readonly reason?: string;
  /** The API server did not answer: feeds without an answer have the same cause. */
  readonly unanswered?: true;
}

export function problemKey(problem: Problem): string {
  return `${problem.code} ${problem.subject}`;
}
