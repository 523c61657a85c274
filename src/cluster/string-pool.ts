/** Enough for the Nodes and namespaces of the largest clusters. */
const most = 20_000;

/**
 * One string for all that are equal. Every name in a JSON text becomes a string of its own: the name of a Node is kept
 * once for each endpoint on it.
 */
export class StringPool {
  readonly #strings = new Map<string, string>();

  of(text: string): string {
    const known = this.#strings.get(text);
    if (known !== undefined) return known;
    // Names come and go with their Nodes; those that are still in use come in again.
    if (this.#strings.size === most) this.#strings.clear();
    this.#strings.set(text, text);
    return text;
  }
}
