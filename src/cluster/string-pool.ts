/** More than the Nodes and namespaces of the largest clusters. */
const most = 20_000;

/**
 * Makes equal strings share memory. JSON.parse makes a new string for each value, so that the name of a Node would
 * be kept once per endpoint.
 */
export class StringPool {
  readonly #strings = new Map<string, string>();

  of(text: string): string {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    // Nodes come and go; the names in use are soon added again.
    if (this.#strings.size === most) this.#strings.clear();
    this.#strings.set(text, text);
    return text;
  }
}
