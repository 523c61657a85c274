import { parse } from 'yaml';

/** What stands for a secret. */
const removed = 'REMOVED';

/** Keys of a kubeconfig whose values may be shown. Everything else is taken for a secret. */
const harmless: ReadonlySet<string> = new Set([
  'apiVersion',
  'kind',
  'name',
  'server',
  'cluster',
  'user',
  'namespace',
  'current-context',
  'certificate-authority',
  'client-certificate',
  'client-key',
  'tokenFile',
  'command',
  'insecure-skip-tls-verify',
  'tls-server-name',
  'interactiveMode',
  'provideClusterInfo',
]);

/** Shorter ones would be found in every other word. */
const shortest = 4;

/** A kubeconfig without its secrets, and what was taken out of it. */
export interface Redacted {
  readonly text: string;
  readonly secrets: readonly string[];
  /** Files that hold secrets, as the kubeconfig names them. */
  readonly files: readonly string[];
}

/**
 * Takes the secrets out of a kubeconfig: of all its users, and not only of the one that is in use.
 *
 * @throws Error when it is no YAML; the message may show a part of it
 */
export function redactKubeconfig(text: string): Redacted {
  const secrets: string[] = [];
  const files: string[] = [];
  const shown = redact(parse(text), '', secrets, files);
  return { text: `${JSON.stringify(shown, undefined, 2)}\n`, secrets, files };
}

function redact(value: unknown, key: string, secrets: string[], files: string[]): unknown {
  if (Array.isArray(value)) return value.map((one) => redact(one, key, secrets, files));
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([name, part]) => [name, redact(part, name, secrets, files)]),
    );
  if ((key === 'client-key' || key === 'tokenFile') && typeof value === 'string') files.push(value);
  if (harmless.has(key) || value === null || value === undefined) return value;
  const text = String(value);
  secrets.push(text);
  // The `-data` fields: what is in them may stand elsewhere as it is.
  if (key.endsWith('-data')) secrets.push(Buffer.from(text, 'base64').toString());
  return removed;
}

/** Secrets that are known by their looks. */
const looks: readonly (readonly [pattern: RegExp, to: string])[] = [
  [/-----BEGIN ([A-Z ]*PRIVATE KEY)-----[\s\S]*?(-----END \1-----|$)/g, removed],
  // A JSON web token.
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, removed],
  [/\b(Bearer|Basic)\s+[\w+/=.~-]{8,}/gi, `$1 ${removed}`],
  [/(:\/\/)[^\s/@"']+@/g, `$1${removed}@`],
  [
    /\b(\w*(?:password|passwd|secret|token|api[-_]?key))(["']?\s*[:=]\s*["']?)[^\s"',;}]+/gi,
    `$1$2${removed}`,
  ],
];

/** Replaces secrets in a text: those that are known, and all that looks like one. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const secret of formsOf(secrets)) clean = clean.replaceAll(secret, removed);
  for (const [pattern, to] of looks) clean = clean.replace(pattern, to);
  return clean;
}

/** The ways in which a secret may be written; the longest first, since one may hold another. */
function formsOf(secrets: readonly string[]): readonly string[] {
  const forms = secrets.flatMap((secret) => {
    const trimmed = secret.trim();
    // A key may be quoted line by line.
    const lines = trimmed.includes('\n') ? trimmed.split('\n').filter((line) => line.length >= 16) : [];
    return [trimmed, ...lines].flatMap((form) => [
      form,
      Buffer.from(form).toString('base64'),
      JSON.stringify(form).slice(1, -1),
      encodeURIComponent(form),
    ]);
  });
  const isBorder = (form: string): boolean => form.startsWith('-----');
  return [...new Set(forms)]
    .filter((form) => form.length >= shortest && !isBorder(form))
    .sort((a, b) => b.length - a.length);
}
