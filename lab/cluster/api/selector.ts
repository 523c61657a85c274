import { Failure } from './failure.ts';
import { at, type JsonObject, textAt } from './json.ts';

export type Selector = (object: JsonObject) => boolean;

/** The `labelSelector` and `fieldSelector` of a list or watch. */
export function selector(query: URLSearchParams): Selector {
  const terms = [
    ...split(query.get('labelSelector')).map(labelTerm),
    ...split(query.get('fieldSelector')).map(fieldTerm),
  ];
  return (object) => terms.every((term) => term(object));
}

/** Splits at commas that are not within parentheses. */
function split(text: string | null): string[] {
  return (text ?? '').split(/,(?![^(]*\))/).filter((term) => term !== '');
}

function labelTerm(term: string): Selector {
  const set = /^\s*(\S+)\s+(in|notin)\s+\(([^)]*)\)\s*$/.exec(term);
  if (set !== null) {
    const [, key = '', verb, list = ''] = set;
    const values = list.split(',').map((value) => value.trim());
    return (object) => values.includes(label(object, key) ?? '\0') === (verb === 'in');
  }
  const compare = /^([^=!]+)(==|=|!=)(.*)$/.exec(term);
  if (compare !== null) {
    const [, key = '', operator, value] = compare;
    return (object) => (label(object, key) === value) === (operator !== '!=');
  }
  if (term.startsWith('!')) return (object) => label(object, term.slice(1)) === undefined;
  return (object) => label(object, term) !== undefined;
}

function label(object: JsonObject, key: string): string | undefined {
  const value = at(object, 'metadata', 'labels', key);
  return typeof value === 'string' ? value : undefined;
}

function fieldTerm(term: string): Selector {
  const compare = /^([^=!]+)(==|=|!=)(.*)$/.exec(term);
  if (compare === null) throw new Failure(400, `unable to parse the field selector "${term}"`);
  const [, path = '', operator, value] = compare;
  const steps = path.split('.');
  return (object) => (textAt(object, ...steps) === value) === (operator !== '!=');
}
