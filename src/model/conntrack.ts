/** How many connections the kernel keeps in mind, and how many it can. */
export interface ConntrackCount {
  readonly entries: number;
  readonly limit: number;
}
