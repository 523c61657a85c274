/** How EIPs are assigned to Services. */
export interface Allocation {
  /** `spec.loadBalancerClass` of the Services that are ours. */
  readonly class: string;
  /** Services without a class are ours as well. */
  readonly classless: boolean;
  /** Hold a Service's deletion back until its routes are gone. */
  readonly finalizer: boolean;
  /** Its holder writes; undefined: this is the only gateway. */
  readonly lease: LeaseName | undefined;
}

export interface LeaseName {
  readonly namespace: string;
  readonly name: string;
}
