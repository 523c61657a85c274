/**
 * The kube-proxies of all nodes of a lab; they follow the Services and EndpointSlices of its cluster.
 *
 * One implementation is played: the lab writes the rules of each node itself (played-proxy.ts), at once. Real
 * kube-proxies, one process for each node at its own pace, are to be the other one.
 */
export interface KubeProxy extends AsyncDisposable {
  /**
   * Resolves when the rules of every node are as the objects of the API are now.
   *
   * @throws Error what kept the rules of a node from being written
   */
  settled(): Promise<void>;
}
