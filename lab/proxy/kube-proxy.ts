/**
 * The kube-proxies of all nodes of a lab; they follow the Services and EndpointSlices of its cluster.
 *
 * Two implementations: the lab writes the rules of each node itself, at once (played-proxy.ts); or one real kube-proxy
 * runs for each node, at its own pace and with its own defaults (real-proxy.ts).
 */
export interface KubeProxy extends AsyncDisposable {
  readonly kind: 'played' | 'nftables' | 'iptables';
  /**
   * Resolves when the rules of every node are as the objects of the API are now.
   *
   * @throws Error what kept the rules of a node from being written
   */
  settled(): Promise<void>;
}
