import { copyFile, readFile } from 'node:fs/promises';
import { isBuiltin } from 'node:module';
import { basename, join } from 'node:path';
import { build, type Plugin } from 'esbuild';
import about from '../package.json' with { type: 'json' };

export interface Bundle {
  readonly folder: string;
  /** Names of the npm packages that are in it, sorted. */
  readonly packages: readonly string[];
}

/** All of the program's text, for any architecture; what each command needs is loaded when it is needed. */
export async function bundle(
  folder: string,
  version: string,
  entries: Readonly<Record<string, string>> = { eiproute: 'src/main.ts' },
): Promise<Bundle> {
  const { metafile, warnings } = await build({
    entryPoints: entries,
    outdir: folder,
    bundle: true,
    splitting: true,
    metafile: true,
    platform: 'node',
    target: 'node24',
    format: 'esm',
    outExtension: { '.js': '.mjs' },
    // Their licences are in the copyright file.
    legalComments: 'none',
    // A process holds the text of what it has loaded. Names stay, and lines, so that a stack trace can be read.
    minifyWhitespace: true,
    lineLimit: 120,
    plugins: [release(version), builtins, undici, pino, koffi, noDemo],
    // What CommonJS packages look for.
    banner: {
      js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);",
    },
    logLevel: 'warning',
  });
  if (warnings.length > 0) throw new Error('esbuild warns; see above');
  // It is read from beside the program, in the sources as in the bundle.
  await copyFile('src/page/page.html', join(folder, 'page.html'));
  for (const name of parsers) await copyFile(`${parserFolder}/${name}.js`, join(folder, `${name}.cjs`));
  const names = new Set<string>();
  for (const input of Object.keys(metafile.inputs)) {
    const [, name] = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input) ?? [];
    if (name) names.add(name);
  }
  return { folder, packages: [...names].sort() };
}

/** `eiproute version` says the version of the package. */
function release(version: string): Plugin {
  return {
    name: 'release',
    setup({ onLoad }) {
      onLoad({ filter: /\/package\.json$/ }, async ({ path }) =>
        path === join(process.cwd(), 'package.json')
          ? { contents: JSON.stringify({ ...about, version }), loader: 'json' }
          : undefined,
      );
    },
  };
}

/**
 * Node's own modules, read by name. The ES module that Node itself makes of each reads all exports of it, and so
 * loads everything that Node would load lazily: `import 'node:http'` takes 14 MB, since one of the exports is
 * `WebSocket`. Here an export that no file imports is not read. docs/performance.md has the figures.
 */
const builtins: Plugin = {
  name: 'builtins',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^[a-z0-9_:/]+$/ }, ({ kind, path }) =>
      kind === 'import-statement' && isBuiltin(path)
        ? { path, namespace: 'builtin', sideEffects: false }
        : undefined,
    );
    onLoad({ filter: /./, namespace: 'builtin' }, ({ path }) => {
      const names = Object.keys(process.getBuiltinModule(path) ?? {}).filter((name) =>
        /^[a-z_$]/i.test(name),
      );
      return {
        contents: [
          `const builtin = process.getBuiltinModule(${JSON.stringify(path)});`,
          'const read = (name) => builtin[name];',
          'export default builtin;',
          // esbuild leaves out a call that is marked as pure when its result is not imported.
          ...names.map(
            (name, i) => `const e${i} = /* @__PURE__ */ read('${name}'); export { e${i} as ${name} };`,
          ),
        ].join('\n'),
      };
    });
  },
};

const parserFolder = 'node_modules/undici/lib/llhttp';
/** undici's parsers of HTTP/1.1 in WebAssembly, as texts of 70 KiB: the second is for a CPU that the first does not run on. */
const parsers = ['llhttp_simd-wasm', 'llhttp-wasm'] as const;

/**
 * undici for our own files, without what its index loads besides: fetch, WebSocket, caches, mocks. An import of any other
 * name ends the build. Its parsers of HTTP/1.1 lie beside the bundle, and are read when a server speaks no HTTP/2.
 * docs/performance.md has the figures.
 */
const undici: Plugin = {
  name: 'undici',
  setup({ onResolve, onLoad }) {
    const own = join(process.cwd(), 'src');
    onResolve({ filter: /\/llhttp\/llhttp(_simd)?-wasm\.js$/ }, ({ path }) => ({
      path: `./${basename(path, '.js')}.cjs`,
      external: true,
    }));
    // Another parser, which undici has only under UNDICI_USE_MILO=1.
    onResolve({ filter: /\/milo\/(no-)?simd\.js$/ }, ({ path }) => ({ path, namespace: 'milo' }));
    onLoad({ filter: /./, namespace: 'milo' }, () => ({
      contents: "throw new Error('this package does not have milo: leave UNDICI_USE_MILO out');",
    }));
    onResolve({ filter: /^undici$/ }, ({ importer, path }) =>
      importer.startsWith(own) ? { path, namespace: 'undici' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'undici' }, () => ({
      resolveDir: process.cwd(),
      contents: [
        "import api from 'undici/lib/api/index.js';",
        "import Dispatcher from 'undici/lib/dispatcher/dispatcher.js';",
        "export { default as Agent } from 'undici/lib/dispatcher/agent.js';",
        "export { default as Pool } from 'undici/lib/dispatcher/pool.js';",
        "export { default as ProxyAgent } from 'undici/lib/dispatcher/proxy-agent.js';",
        // As the index does.
        'Object.assign(Dispatcher.prototype, api);',
      ].join('\n'),
    }));
  },
};

/**
 * pino without what writes for it: worker threads and files. Our records go to a stream of ours (src/log.ts).
 * docs/performance.md has the figures.
 */
const pino: Plugin = {
  name: 'pino',
  setup({ onResolve, onLoad }) {
    onLoad({ filter: /\/node_modules\/(pino\/lib\/transport|sonic-boom\/index)\.js$/ }, () => ({
      contents: "module.exports = function () { throw new Error('eiproute gives pino its own stream'); };",
    }));
    // All that pino asks of them: whether it runs in one.
    onResolve({ filter: /^worker_threads$/ }, ({ importer, path }) =>
      importer.includes('/node_modules/pino/') ? { path, namespace: 'main thread' } : undefined,
    );
    onLoad({ filter: /./, namespace: 'main thread' }, () => ({ contents: 'exports.isMainThread = true;' }));
  },
};

/** Its native part lies beside the bundle, where its own loader would not look. */
const koffi: Plugin = {
  name: 'koffi',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/koffi\.node$/ }, ({ path }) => ({ path, external: true }));
    onLoad({ filter: /\/koffi\/src\/koffi\/src\/static\.js$/ }, () => ({
      contents: "export function loadStatic() { return require('./koffi.node'); }",
    }));
  },
};

/**
 * The demo runs from a checkout, and has no business on a router. src/cli/demo.ts is the only file of src that
 * imports from lab/ (scripts/arrows.ts); without it nothing of lab/ gets into the bundle.
 */
const noDemo: Plugin = {
  name: 'no demo',
  setup({ onLoad }) {
    onLoad({ filter: /\/src\/cli\/demo\.ts$/ }, () => ({ contents: 'export function addDemo() {}' }));
  },
};

/** The licences of what is bundled, one after the other. */
export async function licences(packages: readonly string[]): Promise<string> {
  const texts: string[] = [];
  for (const name of packages) {
    const folder = join('node_modules', name);
    const { version, license }: { version: string; license?: string } = JSON.parse(
      await readFile(join(folder, 'package.json'), 'utf8'),
    );
    texts.push(`${name} ${version} (${license ?? 'see below'})\n\n${(await licenceOf(folder)).trim()}\n`);
  }
  return texts.join(`\n${'-'.repeat(78)}\n\n`);
}

async function licenceOf(folder: string): Promise<string> {
  for (const name of ['LICENSE', 'LICENSE.md', 'LICENSE.txt', 'LICENCE', 'license', 'License.txt']) {
    try {
      return await readFile(join(folder, name), 'utf8');
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
    }
  }
  return '(the package carries no licence file of its own)';
}
