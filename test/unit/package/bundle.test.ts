import { execFile, execFileSync } from 'node:child_process';
import { copyFileSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { startApiServer } from '../../../lab/cluster/api-server.ts';
import { bundle } from '../../../package/bundle.ts';

describe('the bundle of a node agent', () => {
  const folder = mkdtempSync(join(tmpdir(), 'eip-bundle-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('loads no part of Node that takes memory on every node of a cluster for nothing', async () => {
    await bundle(folder, 'test', { agent: 'src/daemon/node.ts' });
    const [koffi = ''] = globSync(`node_modules/@koromix/koffi-*/linux_${process.arch}/koffi.node`);
    copyFileSync(koffi, join(folder, 'koffi.node'));
    const script = `await import(${JSON.stringify(join(folder, 'agent.mjs'))});
      process.stdout.write(JSON.stringify(process.moduleLoadList));`;
    const argv = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
    const loaded: readonly string[] = JSON.parse(execFileSync(process.execPath, argv).toString());
    expect(loaded, 'what Node has loaded').to.include('NativeModule http');
    // MiB of each: docs/performance.md, "Memory".
    for (const name of ['crypto', 'tls', 'http2', 'internal/deps/undici/undici', 'worker_threads']) {
      expect(loaded, name).not.to.include(`NativeModule ${name}`);
    }
  });
});

describe('the bundle of what asks the API server', () => {
  const folder = mkdtempSync(join(tmpdir(), 'eip-bundle-'));
  before(() => bundle(folder, 'test', { http: 'src/cluster/http.ts' }));
  after(() => rmSync(folder, { recursive: true, force: true }));

  for (const [protocol, parsers] of [
    ['h2', []],
    ['http/1.1', ['llhttp_simd-wasm.cjs']],
  ] as const) {
    it(`reads a parser of HTTP/1.1 only where it needs one (${protocol})`, async () => {
      await using server = await startApiServer({ protocol });
      const kubeconfig = join(folder, 'kubeconfig');
      writeFileSync(kubeconfig, server.kubeconfig());
      const script = `
        const { HttpTransport } = await import(${JSON.stringify(join(folder, 'http.mjs'))});
        await using transport = new HttpTransport({ kubeconfig: ${JSON.stringify(kubeconfig)}, context: undefined });
        const status = await transport.probe(new AbortController().signal);
        const read = Object.keys(process.getBuiltinModule('node:module')._cache).map((path) => path.split('/').at(-1));
        process.stdout.write(JSON.stringify({ status, parsers: read.filter((name) => name.includes('llhttp')) }));`;
      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
      expect(JSON.parse(stdout)).to.deep.equal({ status: 200, parsers });
    });
  }
});
