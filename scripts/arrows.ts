import { globSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { argv, exit, stdout } from 'node:process';

// Part of `npm run lint`: no file imports across an arrow that is not in the table below.

const rooms = [
  'model',
  'cluster',
  'kernel',
  'desire',
  'probe',
  'ipam',
  'reconcile',
  'status',
  'metrics',
  'page',
  'config',
  'journal',
].map(inSrc);

/**
 * Each room with what it may import besides itself: rooms, or single files of one. A file with an entry of its own is a
 * room of its own. A file in no room is an error, so a new folder must be entered here.
 */
export const arrows: Arrows = {
  'src/model': [],
  'src/cluster': ['src/model', 'src/abortable.ts', 'src/folder.ts'],
  'src/kernel': ['src/model', 'src/libc.ts', 'src/folder.ts'],
  'src/desire': ['src/model'],
  'src/probe': [
    'src/model',
    ...['kernel', 'lookup-port', 'neighbour-port', 'segment-port'].map((port) => `src/kernel/${port}.ts`),
  ],
  'src/ipam': ['src/model', ...['clock', 'cluster', 'writer'].map((port) => `src/cluster/${port}.ts`)],
  'src/reconcile': ['src/model', 'src/kernel/kernel.ts'],
  'src/status': ['src/model', 'src/desire', 'src/reconcile'],
  'src/metrics': ['src/model', 'src/reconcile', 'src/status'],
  // The live page: a document, and nothing of ours.
  'src/page': [],
  'src/config': ['src/model'],
  'src/journal': ['src/libc.ts'],
  'src/daemon': [...rooms, 'src/log.ts', 'src/libc.ts', 'src/folder.ts'],
  'src/explain': [...rooms, 'src/daemon'],
  'src/cli': [...rooms, 'src/daemon', 'src/explain', 'src/log.ts', 'src/cli/demo.ts'],
  // Packages replace this file by an empty function: nothing else of src may lead to the lab.
  'src/cli/demo.ts': ['src/cli', 'lab/demo', 'lab/process'],
  'src/log.ts': ['src/model/text.ts'],
  // A promise under a signal.
  'src/abortable.ts': [],
  // Makes a folder, and says why it cannot.
  'src/folder.ts': [],
  // The C library, called through koffi.
  'src/libc.ts': [],
  'src/main.ts': ['src/cli'],

  'lab/process': ['src/libc.ts'],
  'lab/network': ['lab/process', 'src/model'],
  'lab/cluster': ['lab/network', 'lab/process', 'src/model'],
  'lab/proxy': ['lab/cluster', 'lab/network', 'lab/process', 'src/model'],
  'lab/eiproute': ['lab/cluster', 'lab/network', 'lab/process', 'src/abortable.ts', 'src/journal/entry.ts'],
  'lab/load': ['lab/network', 'lab/process', 'src/model', 'src/abortable.ts'],
  'lab/lab.ts': ['lab/proxy', 'lab/load', 'lab/cluster', 'lab/network', 'lab/process'],
  'lab/reach': ['lab/lab.ts', 'lab/eiproute', 'lab/cluster', 'lab/network', 'lab/process', 'src/model'],
  'lab/demo': [
    'lab/lab.ts',
    'lab/eiproute',
    'lab/load',
    'lab/cluster',
    'lab/network',
    'lab/process',
    'src/model',
  ],
  // Fakes take the place of what is in these two, and follow their ports.
  'lab/fake': ['src/model', 'src/kernel', 'src/cluster'],

  scripts: [],
  // The manual of the file format is made of the schema.
  package: ['src/config'],
  test: ['src', 'lab', 'scripts', 'package'],
  bench: ['src', 'lab', 'test', 'package'],
};

export type Arrows = Readonly<Record<string, readonly string[]>>;

/** The entry of the table that a file belongs to: the longest that is its path or a folder above it. */
function roomOf(table: Arrows, file: string): string | undefined {
  const found = Object.keys(table).filter((room) => covers(room, file));
  return found.sort((a, b) => b.length - a.length)[0];
}

/** @returns one line for each file outside all rooms and each import that the table does not allow */
export function crossings(table: Arrows, file: string, text: string): readonly string[] {
  const room = roomOf(table, file);
  if (room === undefined) return [`${file}: in no room of scripts/arrows.ts`];
  const allowed = [room, ...(table[room] ?? [])];
  const imports = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\(|\bURL\()\s*'(\.[^']*\.ts)'/g)];
  return imports
    .map(([, path = '']) => join(dirname(file), path))
    .filter((target) => roomOf(table, target) !== room && !allowed.some((each) => covers(each, target)))
    .map((target) => `${file}: ${room} may not import ${target} (scripts/arrows.ts)`);
}

/** @returns one line for each room of src whose entry in the map says something else than the table */
export function disagreements(table: Arrows, map: string): readonly string[] {
  const inMap = Object.keys(table).filter((room) => /^src\/\w+$/.test(room));
  return inMap.flatMap((room) => {
    const entry = map.split(/^- /m).find((each) => each.startsWith(`**\`${room.slice(4)}/\`**`));
    const said = /\bMay import: ([^\n]*)/.exec(entry ?? '')?.[1];
    const named = inMap.filter((each) => new RegExp(`\\b${each.slice(4)}\\b`).test(said ?? ''));
    const others = inMap.filter((each) => each !== room);
    const says = /\ball\b/.test(said ?? '') ? others.filter((each) => !named.includes(each)) : named;
    const is = others.filter((each) => table[room]?.some((allowed) => covers(each, allowed)));
    return says.join() === is.join() && said !== undefined
      ? []
      : [
          `src/README.md: ${room} may import ${is.join(', ') || 'nothing'}, the map says ${says.join(', ') || 'nothing'}`,
        ];
  });
}

/** @returns the rooms of a circle, if the table has one; else nothing */
export function circle(table: Arrows, path: readonly string[] = []): readonly string[] {
  const last = path.at(-1);
  const next = last === undefined ? Object.keys(table) : (table[last] ?? []);
  for (const room of next) {
    // A file with an entry of its own and the folder that it lies in are no circle.
    if (last !== undefined && (covers(room, last) || covers(last, room))) continue;
    if (path.includes(room)) return [...path, room];
    const found = circle(table, [...path, room]);
    if (found.length > 0) return found;
  }
  return [];
}

function covers(room: string, file: string): boolean {
  return file === room || file.startsWith(`${room}/`);
}

function inSrc(name: string): string {
  return `src/${name}`;
}

if (import.meta.filename === argv[1]) {
  const files = globSync('{src,lab,test,bench,package,scripts}/**/*.ts').sort();
  const wrong = [
    ...files.flatMap((file) => crossings(arrows, file, readFileSync(file, 'utf8'))),
    ...disagreements(arrows, readFileSync('src/README.md', 'utf8')),
    ...[circle(arrows)].filter(({ length }) => length > 0).map((path) => `a circle: ${path.join(' > ')}`),
  ];
  stdout.write(wrong.map((line) => `${line}\n`).join(''));
  exit(wrong.length === 0 ? 0 : 1);
}
