import { isDeepStrictEqual } from 'node:util';
import { Failure } from './failure.ts';
import { at, isList, isObject, type Json, type JsonObject } from './json.ts';

/** RFC 7386. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const result: Record<string, Json | undefined> = { ...(isObject(target) ? target : {}) };
  for (const [name, value] of Object.entries(patch)) {
    if (value === null || value === undefined) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}

/** Lists of objects that strategic merge matches by a key; all other lists of objects are replaced whole. */
const mergeKeys: Readonly<Record<string, string>> = {
  ports: 'port',
  conditions: 'type',
  addresses: 'type',
  containers: 'name',
  volumes: 'name',
  env: 'name',
  ownerReferences: 'uid',
};
const mergedSets: readonly string[] = ['finalizers', 'podCIDRs'];

/** A Kubernetes strategic merge patch, as far as the kinds of this server need it. */
export function strategicPatch(target: Json | undefined, patch: Json): Json {
  if (!isObject(patch)) return patch;
  const { $patch: directive } = patch;
  const base: Record<string, Json | undefined> =
    directive === 'replace' ? {} : { ...(isObject(target) ? target : {}) };
  for (const [name, value] of Object.entries(patch)) {
    if (name === '$patch' || name === '$retainKeys' || name.startsWith('$setElementOrder/')) continue;
    if (name.startsWith('$deleteFromPrimitiveList/')) {
      const field = name.slice(name.indexOf('/') + 1);
      const gone = isList(value) ? value : [];
      const held = base[field];
      if (isList(held)) base[field] = held.filter((each) => !gone.includes(each));
      continue;
    }
    if (value === null || value === undefined) delete base[name];
    else
      base[name] = isList(value) ? strategicList(name, base[name], value) : strategicPatch(base[name], value);
  }
  retain(base, at(patch, '$retainKeys'));
  return base;
}

function retain(base: Record<string, Json | undefined>, keys: Json | undefined): void {
  if (!isList(keys)) return;
  for (const name of Object.keys(base)) if (!keys.includes(name)) delete base[name];
}

function strategicList(name: string, target: Json | undefined, patch: readonly Json[]): Json {
  const held = isList(target) ? target : [];
  if (mergedSets.includes(name)) return [...held, ...patch.filter((each) => !held.includes(each))];
  const key = mergeKeys[name];
  if (key === undefined || !patch.every(isObject)) return patch;
  if (patch.some((each) => at(each, '$patch') === 'replace')) {
    return patch.filter((each) => at(each, '$patch') !== 'replace');
  }
  const result = [...held];
  for (const item of patch) {
    if (!isObject(item)) continue;
    const place = result.findIndex((each) => isObject(each) && isDeepStrictEqual(each[key], item[key]));
    if (at(item, '$patch') === 'delete') {
      if (place >= 0) result.splice(place, 1);
    } else if (place < 0) result.push(strategicPatch(undefined, item));
    else result[place] = strategicPatch(result[place], item);
  }
  return result;
}

/**
 * RFC 6902: add, remove, replace, test.
 *
 * @throws Failure 422 when a path does not exist or a test fails
 */
export function jsonPatch(target: JsonObject, operations: Json): JsonObject {
  if (!isList(operations)) throw new Failure(400, 'a JSON patch is a list of operations');
  let result: Json = target;
  for (const operation of operations) {
    const path = at(operation, 'path');
    if (!isObject(operation) || typeof path !== 'string') {
      throw new Failure(400, 'each operation of a JSON patch has a path');
    }
    const steps = path.split('/').slice(1).map(unescaped);
    result = operate(result, steps, operation);
  }
  if (!isObject(result)) throw new Failure(422, 'the patch leaves no object');
  return result;
}

function unescaped(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~');
}

function operate(here: Json | undefined, steps: readonly string[], operation: JsonObject): Json {
  const [step, ...rest] = steps;
  const { op, path, value } = operation;
  if (step === undefined) return value ?? null;
  if (isList(here)) {
    const copy = [...here];
    const at = step === '-' ? copy.length : Number(step);
    if (rest.length > 0) copy[at] = operate(copy[at], rest, operation);
    else if (op === 'add') copy.splice(at, 0, value ?? null);
    else if (!(at in copy)) throw new Failure(422, `nothing at ${String(path)}`);
    else if (op === 'remove') copy.splice(at, 1);
    else if (op === 'replace') copy[at] = value ?? null;
    else check(copy[at], operation);
    return copy;
  }
  if (!isObject(here)) throw new Failure(422, `nothing at ${String(path)}`);
  const copy: Record<string, Json | undefined> = { ...here };
  if (rest.length > 0) copy[step] = operate(copy[step], rest, operation);
  else if (op === 'add') copy[step] = value ?? null;
  else if (copy[step] === undefined) throw new Failure(422, `nothing at ${String(path)}`);
  else if (op === 'remove') delete copy[step];
  else if (op === 'replace') copy[step] = value ?? null;
  else check(copy[step], operation);
  return copy;
}

function check(found: Json | undefined, { op, path, value }: JsonObject): void {
  if (op !== 'test') throw new Failure(422, `the JSON patch operation ${String(op)} is not known here`);
  if (!isDeepStrictEqual(found, value)) throw new Failure(422, `the test at ${String(path)} failed`);
}
