import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DaemonError } from '../../src/daemon/daemon-error.ts';
import { lock } from '../../src/daemon/lock.ts';
import { describeOnKernel } from './namespace.ts';

const protocol = 86;
const name = `\\0eiproute-protocol-${protocol}`;
const nobody = 65_534;
const module = new URL('../../src/daemon/lock.ts', import.meta.url).href;

describeOnKernel('the lock of a protocol', () => {
  let folder: string;
  let other: string;
  const children: ChildProcess[] = [];
  beforeEach(() => {
    const both = mkdtempSync(join(tmpdir(), 'eip-lock-'));
    // As for systemd's RuntimeDirectory: everybody may look in.
    chmodSync(both, 0o755);
    folder = join(both, 'run');
    other = join(both, 'other');
    mkdirSync(folder);
  });
  afterEach(async () => {
    for (const child of children.splice(0)) await end(child);
    rmSync(join(folder, '..'), { recursive: true });
  });

  async function outcome(directory: string): Promise<string> {
    try {
      await using _ = await lock(protocol, directory);
      return 'held';
    } catch (error) {
      if (error instanceof DaemonError) return error.message;
      throw error;
    }
  }

  async function end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  /** Another process, which says a word when it has done it and then lives on. */
  async function run(user: number, file: string, ...args: readonly string[]): Promise<ChildProcess> {
    const argv = [
      `--reuid=${user}`,
      `--regid=${user}`,
      '--clear-groups',
      '--pdeathsig',
      'KILL',
      file,
      ...args,
    ];
    const child = spawn('setpriv', argv, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    await once(child.stdout, 'data');
    return child;
  }

  function holder(user: number, directory: string): Promise<ChildProcess> {
    const script = `import { lock } from ${JSON.stringify(module)};
      globalThis.held = await lock(${protocol}, ${JSON.stringify(directory)});
      console.log('held'); setInterval(() => {}, 1000);`;
    return run(user, process.execPath, '--input-type=module', '-e', script);
  }

  it('is held once, and free again when it is let go', async () => {
    {
      await using _ = await lock(protocol, folder);
      expect(await outcome(folder)).to.match(/^another eiproute already manages routes of protocol 86 /);
      await using _more = await lock(protocol + 1, folder);
    }
    expect(await outcome(folder)).to.equal('held');
  });

  it('keeps out a daemon with another runtime directory', async () => {
    await using _ = await lock(protocol, folder);
    expect(await outcome(other)).to.match(/^another eiproute already manages/);
  });

  it('goes with the process, however it ends', async () => {
    const first = await holder(0, folder);
    expect(await outcome(folder)).to.match(/^another eiproute already manages/);
    await end(first);
    expect(await outcome(folder)).to.equal('held');
  });

  it('keeps root out while the daemon’s own user holds it, and lets that user in after root', async () => {
    chownSync(folder, nobody, nobody);
    expect(await outcome(folder)).to.equal('held');
    const daemon = await holder(nobody, folder);
    expect(await outcome(folder)).to.match(/^another eiproute already manages/);
    await end(daemon);
    expect(await outcome(folder)).to.equal('held');
  });

  it('is a file that no other user may open', async () => {
    await using _ = await lock(protocol, folder);
    expect(statSync(join(folder, `protocol-${protocol}.lock`)).mode & 0o777).to.equal(0o600);
  });

  const strangers: Readonly<Record<string, string>> = {
    'listens on the name': `require('node:net').createServer().listen({ path: '${name}' }, () => console.log('held'))`,
    'has bound the name and no more': `
      const { libc, unixAddress } = await import(${JSON.stringify(new URL('../../src/libc.ts', import.meta.url).href)});
      const fd = libc.socket(1, 1, 0);
      const address = unixAddress('@eiproute-protocol-${protocol}');
      libc.bind(fd, address, address.length);
      console.log('held'); setInterval(() => {}, 1000);`,
    'listens and never accepts': `
      const { libc, unixAddress } = await import(${JSON.stringify(new URL('../../src/libc.ts', import.meta.url).href)});
      const address = unixAddress('@eiproute-protocol-${protocol}');
      const fd = libc.socket(1, 1, 0);
      libc.bind(fd, address, address.length);
      (await import('koffi')).default.load(null).func('int listen(int, int)')(fd, 0);
      for (let i = 0; i < 3; i += 1) libc.connect(libc.socket(1, 1 | 0o4000, 0), address, address.length);
      console.log('held'); setInterval(() => {}, 1000);`,
  };
  for (const [what, script] of Object.entries(strangers)) {
    it(`is not kept by another user who ${what}, and still held once`, async () => {
      const type = script.includes('await') ? ['--input-type=module'] : [];
      await run(nobody, process.execPath, ...type, '-e', script);
      await using _ = await lock(protocol, folder);
      expect(await outcome(folder)).to.match(/^another eiproute already manages/);
    });
  }
});
