/** The part of JSON Schema 2020-12 that docs/status.schema.json uses; any other keyword is an error of the test. */
interface Schema {
  readonly [keyword: string]: unknown;
}

const silent = new Set(['$schema', '$defs', 'title', 'description']);

/** @returns what does not fit, each with its path; nothing when all does */
export function violations(root: Schema, value: unknown): readonly string[] {
  return [...check(root, value, '$', root)];
}

function* check(schema: Schema, value: unknown, at: string, root: Schema): Generator<string> {
  for (const [keyword, rule] of Object.entries(schema)) {
    if (silent.has(keyword)) continue;
    switch (keyword) {
      case '$ref':
        yield* check(definition(root, rule), value, at, root);
        break;
      case 'const':
        if (value !== rule) yield `${at}: is ${JSON.stringify(value)}, not ${JSON.stringify(rule)}`;
        break;
      case 'enum':
        if (!listOf(rule).includes(value)) yield `${at}: is ${JSON.stringify(value)}`;
        break;
      case 'type':
        if (![rule].flat().some((type) => isOfType(value, type)))
          yield `${at}: is no ${String(rule)}: ${JSON.stringify(value)}`;
        break;
      case 'pattern':
        if (typeof value !== 'string' || !new RegExp(String(rule)).test(value))
          yield `${at}: ${JSON.stringify(value)} does not match ${String(rule)}`;
        break;
      case 'required':
        for (const name of listOf(rule))
          if (!(String(name) in objectOf(value))) yield `${at}: has no ${String(name)}`;
        break;
      case 'properties':
        for (const [name, inner] of Object.entries(objectOf(value)))
          if (name in objectOf(rule))
            yield* check(objectOf(objectOf(rule)[name]), inner, `${at}.${name}`, root);
        break;
      case 'additionalProperties':
        for (const name of Object.keys(objectOf(value)))
          if (!(name in objectOf(schema['properties']))) yield `${at}: has ${name}, which is not described`;
        break;
      case 'items':
        for (const [i, inner] of (Array.isArray(value) ? value : []).entries())
          yield* check(objectOf(rule), inner, `${at}[${i}]`, root);
        break;
      default:
        throw new Error(`the schema uses ${keyword}, which this test does not know`);
    }
  }
}

function definition(root: Schema, ref: unknown): Schema {
  const name = String(ref).replace('#/$defs/', '');
  const found = objectOf(root['$defs'])[name];
  if (found === undefined) throw new Error(`the schema has no ${String(ref)}`);
  return objectOf(found);
}

function isOfType(value: unknown, type: unknown): boolean {
  switch (type) {
    case 'integer':
      return Number.isInteger(value);
    case 'null':
      return value === null;
    case 'array':
      return Array.isArray(value);
    case 'object':
      return typeof value === 'object' && value !== null && !Array.isArray(value);
    case 'string':
      return typeof value === 'string';
    case 'number':
      return typeof value === 'number';
    case 'boolean':
      return typeof value === 'boolean';
    default:
      throw new Error(`the schema uses the type ${String(type)}, which this test does not know`);
  }
}

function objectOf(value: unknown): Schema {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
