import convict from 'convict';
import type { ConfigProblem, Origin } from './config-problem.ts';
import { fileVariable } from './default-file.ts';
import { leaves, type Schema, systemdVariables } from './schema.ts';
import type { FileLayer } from './shape.ts';
import { meant } from './spelling.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

const prefix = 'EIPROUTE_';

/** A setting from the command line. */
export interface Flag {
  /** As typed: `--log-level`. */
  readonly flag: string;
  /** `log.level` */
  readonly key: string;
  readonly value: string;
}

/** The effective value of each key, not yet parsed, and its source. */
export interface Layers {
  raw(key: string): unknown;
  origin(key: string): Origin;
  readonly warnings: readonly ConfigProblem[];
}

/**
 * Merges the layers: default, file, environment, flag.
 *
 * convict does only this. By itself it reads "no" and "0" in the environment as true (so all presets are texts and all
 * formats '*', which it passes through), reads process.argv (so `args: []`), prints values in its messages, and fails
 * on empty sections and on scalars in place of sections (so only keys that shape.ts knows get here).
 */
export function mergeLayers(
  layer: FileLayer,
  env: Environment,
  flags: readonly Flag[],
  schema: Schema,
): Layers {
  const variables = variablesIn(env, schema);
  const config = convict<Record<string, unknown>>(convictSchema(variables, schema), {
    // An object of our own: convict reads process.env otherwise.
    env: Object.fromEntries([...variables.values()].map((variable) => [variable, env[variable]])),
    args: [],
  });
  config.load(nest(layer.values));
  for (const { key, value } of flags) config.set(key, value);
  config.validate({ allowed: 'strict' });

  const flagged = new Map(flags.map(({ key, flag }) => [key, flag]));
  const origin = (key: string): Origin => {
    const flag = flagged.get(key);
    if (flag !== undefined) return { kind: 'flag', flag };
    const variable = variables.get(key);
    if (variable !== undefined) return { kind: 'environment', variable };
    return layer.values.has(key) ? layer.origin(key, 'value') : { kind: 'default' };
  };
  return { raw: (key) => config.get(key), origin, warnings: warningsOf(layer, env, variables, schema) };
}

function bareName(variable: string): string {
  return variable.slice(prefix.length);
}

/** The variable that sets each key; ours takes precedence over systemd's. */
function variablesIn(env: Environment, schema: Schema): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const [variable, key] of systemdVariables) {
    // systemd never sets it to empty; a person does that to unset it.
    if (env[variable]) found.set(key, variable);
  }
  for (const { key, variable } of schema.leaves) if (env[variable] !== undefined) found.set(key, variable);
  return found;
}

function convictSchema(
  variables: ReadonlyMap<string, string>,
  { leaves: all, lists }: Schema,
): convict.Schema<Record<string, unknown>> {
  const entries = new Map<string, unknown>(lists.map((key) => [key, { default: null, format: '*' }]));
  for (const { key, doc, preset } of all) {
    entries.set(key, { doc, default: preset ?? null, format: '*', env: variables.get(key) });
  }
  return nest(entries);
}

/** { 'log.level': x } becomes { log: { level: x } }. The keys are those of the schema alone. */
function nest(entries: ReadonlyMap<string, unknown>): Record<string, object> {
  const root: Record<string, object> = {};
  const sections = new Map<string, Record<string, unknown>>([['', root]]);
  for (const [key, value] of entries) {
    const dot = key.lastIndexOf('.');
    const name = key.slice(0, Math.max(0, dot));
    let section = sections.get(name);
    if (section === undefined) {
      section = {};
      sections.set(name, section);
      root[name] = section;
    }
    section[key.slice(dot + 1)] = value;
  }
  return root;
}

function warningsOf(
  layer: FileLayer,
  env: Environment,
  variables: ReadonlyMap<string, string>,
  schema: Schema,
): readonly ConfigProblem[] {
  const warnings: ConfigProblem[] = [];
  const known = [...schema.leaves.map(({ variable }) => variable), fileVariable];
  for (const variable of Object.keys(env)) {
    if (!variable.startsWith(prefix) || known.includes(variable)) continue;
    // Kubernetes sets variables like EIPROUTE_SERVICE_HOST in a pod beside a Service called eiproute: only a variable
    // that resembles one of ours is reported.
    const near = meant(bareName(variable), known.map(bareName));
    if (near === undefined) continue;
    warnings.push({
      origin: { kind: 'environment', variable },
      key: '',
      what: `is not a setting and has no effect (did you mean "${prefix}${near}"?)`,
    });
  }
  for (const leaf of [leaves.stateDirectory, leaves.runtimeDirectory]) {
    const variable = variables.get(leaf.key);
    if (variable === undefined || variable === leaf.variable || !layer.values.has(leaf.key)) continue;
    warnings.push({
      origin: layer.origin(leaf.key, 'value'),
      key: leaf.key,
      what: `has no effect: systemd's ${variable} wins`,
    });
  }
  return warnings;
}
