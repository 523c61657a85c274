/** The facts of a record, parsed from its JSON. */
export type Facts = Readonly<Record<string, unknown>>;

/** One fact as text; empty when it is missing. */
export function text(facts: Facts, name: string): string {
  return worded(facts[name]);
}

/** A fact that may be a list: `n1, n2`. */
export function list(facts: Facts, name: string): string {
  return values(facts[name]).join(', ');
}

/** The entries of a list, or the single value. */
export function values(fact: unknown): readonly string[] {
  if (Array.isArray(fact)) return fact.map(worded);
  const only = worded(fact);
  return only === '' ? [] : [only];
}

export function worded(fact: unknown): string {
  switch (typeof fact) {
    case 'undefined':
      return '';
    case 'string':
      return fact;
    case 'object':
      return fact === null ? '' : JSON.stringify(fact);
    default:
      return String(fact);
  }
}
