import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from './world.ts';

const good = 'lan: eth0\nuplink: eth1\npools: [ { name: public, addresses: [198.51.100.0/24] } ]\n';

describe('eiproute config', () => {
  let folder = '';
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'eiproute-config-'));
    writeFileSync(join(folder, 'good.yaml'), good);
    writeFileSync(join(folder, 'bad.yaml'), `${good}lam: eth0\ntable: x\n`);
    writeFileSync(join(folder, 'same.yaml'), good.replace('eth1', 'eth0'));
  });
  after(() => rmSync(folder, { recursive: true }));

  const config = (...words: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
    run(['config', ...words], {}, folder);

  it('check is silent about a good file', async () => {
    expect(await config('check', '--config', 'good.yaml')).to.deep.equal({ code: 0, stdout: '', stderr: '' });
  });

  it('check tells every error in a line, with the file as it was named', async () => {
    expect(await config('check', '--config', './bad.yaml')).to.deep.equal({
      code: 2,
      stdout: '',
      stderr:
        './bad.yaml:4:1 lam: unknown key (did you mean "lan"?)\n' +
        './bad.yaml:5:8 table: must be a whole number from 1 to 4294967295, not the text "x"\n',
    });
  });

  it('check lets a warning pass, and says it', async () => {
    const { code, stderr } = await config('check', '--config', 'same.yaml');
    expect(code).to.equal(0);
    expect(stderr).to.match(
      /^warning: same\.yaml:2:9 uplink: is the same interface as lan \(eth0\)[^\n]*\n$/,
    );
  });

  it('check --json says the same to a program', async () => {
    const bad = await config('check', '--json', '--config', 'bad.yaml');
    expect(bad.code).to.equal(2);
    expect(JSON.parse(bad.stdout)).to.deep.equal({
      version: 1,
      errors: [
        {
          file: 'bad.yaml',
          line: 4,
          column: 1,
          key: 'lam',
          message: 'unknown key (did you mean "lan"?)',
        },
        {
          file: 'bad.yaml',
          line: 5,
          column: 8,
          key: 'table',
          message: 'must be a whole number from 1 to 4294967295, not the text "x"',
        },
      ],
    });
    const same = await config('check', '--json', '--config', 'same.yaml');
    const { version, errors, warnings } = JSON.parse(same.stdout);
    expect([same.code, version, errors, warnings.length]).to.deep.equal([0, 1, [], 1]);
  });

  it('takes the file from EIPROUTE_CONFIG, after --config', async () => {
    const env = { EIPROUTE_CONFIG: 'bad.yaml' };
    expect((await run(['config', 'check'], env, folder)).code).to.equal(2);
    expect((await run(['config', 'check', '--config', 'good.yaml'], env, folder)).code).to.equal(0);
    expect((await run(['config', 'check'], {}, folder)).stderr).to.match(/^\/etc\/eiproute\/gateway\.yaml/);
  });

  it('knows the global options before and behind the command', async () => {
    for (const words of [
      ['--log-level', 'debug', '--config', 'good.yaml', 'config', 'print', '--json'],
      ['config', 'print', '--json', '--config', 'good.yaml', '--log-level', 'debug'],
    ]) {
      const { stdout } = await run(words, {}, folder);
      expect(JSON.parse(stdout).config.log.level).to.equal('debug');
    }
  });

  it('print shows the defaults, and with --origin where each value is from', async () => {
    const { code, stdout } = await config('print', '--config', 'good.yaml');
    expect(code).to.equal(0);
    expect(stdout).to.include('\nprotocol: 86\n');
    const told = await run(
      ['config', 'print', '--origin', '--config', 'good.yaml', '--log-format', 'json'],
      { EIPROUTE_TABLE: '100' },
      folder,
    );
    for (const line of [
      'uplink: eth1 # good.yaml:2:9',
      'pools: # good.yaml:3:8',
      'protocol: 86 # default',
      'table: 100 # EIPROUTE_TABLE',
      '  format: json # --log-format',
    ]) {
      expect(told.stdout.split('\n')).to.include(line);
    }
  });

  it('print --json carries a version, and origins when asked', async () => {
    const plain = JSON.parse((await config('print', '--json', '--config', 'good.yaml')).stdout);
    expect(plain).to.have.all.keys('version', 'config');
    expect(plain.config.neighbour).to.deep.equal({
      reachable: '300ms',
      firstProbe: '0s',
      retransmit: '100ms',
    });
    const told = JSON.parse((await config('print', '--json', '--origin', '--config', 'good.yaml')).stdout);
    expect(told.origins).to.include({ lan: 'good.yaml:1:6', 'log.level': 'default' });
  });
});
