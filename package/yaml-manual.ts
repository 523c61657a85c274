import { nodeSchema } from '../src/config/node-schema.ts';
import { gatewaySchema, type Leaf, type Schema } from '../src/config/schema.ts';

/** What a manual of the file format is made of. */
export interface ManualParts {
  /** docs/configuration.md: what each key does. */
  readonly page: string;
  readonly gatewayExample: string;
  readonly nodeExample: string;
}

/** A row of a table of the page that describes a key. */
interface Row {
  readonly key: string;
  readonly preset: string;
  readonly what: string;
}

/**
 * eiproute.yaml(5) in roff. Keys, defaults and variables are those of the schema; what a key does is what
 * docs/configuration.md says of it.
 *
 * @throws Error when the page lacks a key of the schema
 */
export function yamlManual({ page, gatewayExample, nodeExample }: ManualParts): string {
  const [common = '', node = ''] = page.split('\n## The node\n');
  const sections = [...common.split('\n## ').slice(1)].map((text): [title: string, rows: readonly Row[]] => [
    text.slice(0, text.indexOf('\n')),
    rowsOf(text),
  ]);
  const ofNode = rowsOf(node);
  expectAll(
    gatewaySchema,
    sections.flatMap(([, rows]) => rows),
  );
  expectAll(nodeSchema, [...sections.flatMap(([, rows]) => rows), ...ofNode]);
  const parts = [
    head,
    '.SH VALUES',
    ...kinds(page).map(([kind, written]) => entry(bold(kind), written)),
    ...sections.flatMap(([title, rows]) =>
      rows.length === 0
        ? []
        : [`.SH ${plain(title.toUpperCase())}`, ...rows.map((row) => keyEntry(row, gatewaySchema))],
    ),
    '.SH THE NODE',
    text(
      "`protocol`, `pace`, `stateDirectory`, `runtimeDirectory`, `metrics` and `log` are those of a gateway. These are the node's own:",
    ),
    ...ofNode.map((row) => keyEntry(row, nodeSchema)),
    '.SH EXAMPLES',
    text('A gateway:'),
    verbatim(gatewayExample),
    text('A node:'),
    verbatim(nodeExample),
    foot,
  ];
  return `${parts.join('\n')}\n`;
}

const head = `.TH EIPROUTE.YAML 5 "" "eiproute" "File Formats"
.SH NAME
eiproute.yaml \\- configuration of eiproute: gateway.yaml and node.yaml
.SH SYNOPSIS
.I /etc/eiproute/gateway.yaml
.br
.I /etc/eiproute/node.yaml
.SH DESCRIPTION
${text(
  'One YAML file for each daemon. A gateway needs `lan`, `uplink` and `pools`; a node needs `eips` (or `eipsFrom`) and `gateways`. Every other key has a default. `eiproute config check` tells every mistake of a file with line, column and key; `eiproute config print --origin` tells what is in effect, and where each value comes from.',
)}
.PP
${text(
  'A flag wins over the environment, the environment over the file, the file over the default. Each key but the lists has a variable. Relative paths start at the folder of the file. On SIGHUP the file is read again: a wrong one is refused, and the old one stays in force.',
)}
.PP
${text('A key with dots may be written as sections: `log.level` is `log: { level: info }`.')}`;

const foot = `.SH FILES
.TP
.I /usr/share/doc/eiproute/configuration.md
The same, with the reasons.
.TP
.I /usr/share/doc/eiproute/gateway.example.yaml
.TQ
.I /usr/share/doc/eiproute/node.example.yaml
Every key, with what it does.
.SH SEE ALSO
.BR eiproute (8)`;

function expectAll({ leaves, lists }: Schema, rows: readonly Row[]): void {
  const known = new Set(rows.map(({ key }) => key));
  const missing = [...leaves.map(({ key }) => key), ...lists].filter((key) => !known.has(key));
  if (missing.length > 0) throw new Error(`docs/configuration.md does not describe ${missing.join(', ')}`);
}

/** The rows of tables whose first cell is a key; those of two columns have no default. */
function rowsOf(text: string): readonly Row[] {
  return text.split('\n').flatMap((line): readonly Row[] => {
    if (!line.startsWith('| `')) return [];
    const [key = '', ...rest] = cells(line);
    const what = rest.at(-1) ?? '';
    return [{ key: key.replaceAll('`', ''), preset: rest.length > 1 ? (rest[0] ?? '') : '', what }];
  });
}

/** How values are written, by their kind. */
function kinds(page: string): readonly (readonly [kind: string, written: string])[] {
  const [, table = ''] = /\n## How values are written\n\n((?:\|.*\n)+)/.exec(page) ?? [];
  return table
    .trimEnd()
    .split('\n')
    .slice(2)
    .map(cells)
    .map(([kind = '', written = '']) => [kind, written]);
}

function cells(line: string): readonly string[] {
  // A bar within a cell has a backslash before it.
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|'));
}

function keyEntry({ key, preset, what }: Row, { leaves }: Schema): string {
  const leaf: Leaf<unknown> | undefined = leaves.find((one) => one.key === key);
  const said = leaf?.preset ?? preset.replaceAll('`', '');
  const state = said === '' || said === 'none' ? '' : said === 'required' ? ' (required)' : ` (${said})`;
  const variable = leaf === undefined ? '' : `\n.br\n${text(`Variable \`${leaf.variable}\`.`)}`;
  return `${entry(`${bold(key)}${plain(state)}`, `${what}.`)}${variable}`;
}

function entry(tag: string, what: string): string {
  return `.TP\n${tag}\n${text(what)}`;
}

function bold(words: string): string {
  return `\\fB${plain(words)}\\fR`;
}

/** Markdown of one line as roff: code in bold, links as their words. */
function text(markdown: string): string {
  const words = markdown.replace(/\[([^\]]+)\]\([^)]*\)/g, '$1').replaceAll('**', '');
  return words
    .split('`')
    .map((part, i) => (i % 2 === 1 ? bold(part) : plain(part)))
    .join('')
    .replace(/^(?=[.'])/, '\\&');
}

function verbatim(file: string): string {
  const lines = file
    .trimEnd()
    .split('\n')
    .map((line) => plain(line).replace(/^(?=[.'])/, '\\&'));
  return ['.PP', '.nf', '.RS', ...lines, '.RE', '.fi'].join('\n');
}

/** Characters that roff would take for its own, or print as others. */
function plain(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga');
}
