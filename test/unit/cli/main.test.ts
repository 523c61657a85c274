import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';

const bin = fileURLToPath(new URL('../../../bin/eiproute', import.meta.url));

const { PATH } = process.env;

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts a program with nothing of our own environment, and waits for its end. */
async function start(program: string, args: readonly string[], cwd: string): Promise<Ended> {
  const child = spawn(program, args, {
    cwd,
    env: { PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject).once('close', resolve);
  });
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { code, stdout, stderr };
}

describe('bin/eiproute', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'eiproute-main-'));
    const good = 'lan: eth0\nuplink: eth1\npools: [ { name: public, addresses: [198.51.100.0/24] } ]\n';
    writeFileSync(join(folder, 'good.yaml'), good);
    writeFileSync(join(folder, 'bad.yaml'), `${good}uplnik: eth1\n`);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('prints its version, also for programs', async () => {
    expect(await start(bin, ['version'], '/')).to.deep.equal({
      code: 0,
      stdout: 'eiproute 0.1.0\n',
      stderr: '',
    });
    const { stdout } = await start(bin, ['version', '--json'], '/');
    expect(JSON.parse(stdout)).to.include({ version: 1, release: '0.1.0' });
  });

  it('checks a configuration by exit status', async () => {
    expect((await start(bin, ['config', 'check', '--config', 'good.yaml'], folder)).code).to.equal(0);
    expect(await start(bin, ['config', 'check', '--config', 'bad.yaml'], folder)).to.deep.equal({
      code: 2,
      stdout: '',
      stderr: 'bad.yaml:4:1 uplnik: unknown key (did you mean "uplink"?)\n',
    });
  });

  it('prints what it then reads again', async () => {
    const { stdout } = await start(bin, ['config', 'print', '--origin', '--config', 'good.yaml'], folder);
    writeFileSync(join(folder, 'printed.yaml'), stdout);
    const again = await start(bin, ['config', 'print', '--config', 'printed.yaml'], '/'.concat(folder));
    expect(again).to.include({ code: 0, stderr: '' });
    expect(again.stdout.split('\n')).to.deep.equal(
      stdout.split('\n').map((line) => line.replace(/ #.*/, '')),
    );
  });

  it('works in a folder that is gone', async () => {
    const line = `mkdir ${folder}/gone && cd ${folder}/gone && rmdir ${folder}/gone && exec ${bin} config check --config ${folder}/good.yaml`;
    const { code, stderr } = await start('sh', ['-c', line], '/');
    expect(code, stderr).to.equal(0);
  });

  it('ends quietly when its reader goes', async () => {
    const child = spawn(bin, ['config', 'print', '--config', 'good.yaml'], { cwd: folder, env: { PATH } });
    const closed = new Promise<number | null>((resolve, reject) => {
      child.once('error', reject).once('close', resolve);
    });
    // Long before Node has started: the first write meets a closed pipe.
    child.stdout.destroy();
    expect([await text(child.stderr), await closed]).to.deep.equal(['', 0]);
  });

  it('fails when it cannot write', async () => {
    const { code, stderr } = await start('sh', ['-c', `${bin} version >/dev/full`], '/');
    expect(code).to.equal(1);
    expect(stderr).to.match(/^eiproute: cannot write to stdout: ENOSPC[^\n]*\n$/);
  });
});
