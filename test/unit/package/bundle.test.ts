import { execFileSync } from 'node:child_process';
import { copyFileSync, globSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
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
