import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { isLedger, Ledger } from '../../../src/kernel/ledger.ts';

const forward = 'net/ipv4/ip_forward';
const filter = 'net/ipv4/conf/eth0.100/rp_filter';

describe('the ledger of sysctls', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'eip-ledger-'));
    file = join(folder, 'state', 'sysctls.json');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('is empty where there is no file, and writes none before there is something to remember', async () => {
    const ledger = await Ledger.load(file);
    expect(ledger.former.size).to.equal(0);
    await ledger.remember(new Map());
    await ledger.forget(new Set([forward]));
    expect(existsSync(file)).to.equal(false);
  });

  it('survives a restart, and has a version', async () => {
    const ledger = await Ledger.load(file);
    await ledger.remember(
      new Map([
        [forward, '0'],
        [filter, '2'],
      ]),
    );
    expect([...(await Ledger.load(file)).former]).to.have.deep.members([
      [forward, '0'],
      [filter, '2'],
    ]);
    expect(JSON.parse(readFileSync(file, 'utf8'))).to.deep.equal({
      version: 1,
      sysctls: { [forward]: '0', [filter]: '2' },
    });
    expect(readdirSync(join(folder, 'state'))).to.deep.equal(['sysctls.json']);
  });

  it('keeps the first value', async () => {
    const ledger = await Ledger.load(file);
    await ledger.remember(new Map([[forward, '0']]));
    await ledger.remember(new Map([[forward, '1']]));
    expect((await Ledger.load(file)).former.get(forward)).to.equal('0');
  });

  it('remembers what was written, of what it remembers the former value of, until that is forgotten', async () => {
    const ledger = await Ledger.load(file);
    await ledger.remember(new Map([[forward, '0']]));
    await ledger.wrote(
      new Map([
        [forward, '1'],
        [filter, '2'],
      ]),
    );
    const later = await Ledger.load(file);
    expect(later.written).to.deep.equal(new Map([[forward, '1']]));
    await later.forget(new Set([forward]));
    expect(later.written.size).to.equal(0);
    expect((await Ledger.load(file)).written.size).to.equal(0);
  });

  it('knows a file of its own from others', () => {
    expect(isLedger('{ "version": 1, "sysctls": {} }')).to.equal(true);
    for (const text of [
      '',
      '{',
      '[]',
      '{ "version": 1 }',
      '{ "version": 2, "sysctls": {} }',
      '{"sysctls": {"x": 1}}',
    ])
      expect(isLedger(text), text).to.equal(false);
  });

  it('forgets', async () => {
    const ledger = await Ledger.load(file);
    await ledger.remember(
      new Map([
        [forward, '0'],
        [filter, '2'],
      ]),
    );
    await ledger.forget(new Set([forward]));
    expect([...ledger.former.keys()]).to.deep.equal([filter]);
    expect([...(await Ledger.load(file)).former.keys()]).to.deep.equal([filter]);
  });

  const garbage: Readonly<Record<string, string | Buffer>> = {
    'an empty file': '',
    'half a file': '{"version": 1, "sysctls": {"net/ipv4/ip_f',
    'a file of zeros': Buffer.alloc(512),
    'random bytes': randomBytes(512),
    'another kind of value': '[]',
    'a later version': '{"version": 2, "sysctls": {}}',
    'no version': '{"sysctls": {}}',
    'no sysctls': '{"version": 1}',
    'a value that is no text': '{"version": 1, "sysctls": {"net/ipv4/ip_forward": 1}}',
    'a path that leaves /proc/sys': '{"version": 1, "sysctls": {"../../etc/passwd": "x"}}',
    'a path with an empty part': '{"version": 1, "sysctls": {"/etc/passwd": "x"}}',
  };
  const clock = (): Date => new Date('2026-11-26T12:00:00Z');
  const kept = 'sysctls.json.2026-11-26T12:00:00.000Z';
  for (const [what, bytes] of Object.entries(garbage)) {
    it(`starts empty from ${what}, and moves it aside before it writes`, async () => {
      mkdirSync(join(folder, 'state'));
      writeFileSync(file, bytes);
      const ledger = await Ledger.load(file, clock);
      expect(ledger.former.size).to.equal(0);
      expect(ledger.problems.map(({ code, severity, subject }) => [code, severity, subject])).to.deep.equal([
        ['sysctl-ledger-damaged', 'warn', file],
      ]);
      expect(readFileSync(file), 'nothing is moved by reading').to.deep.equal(Buffer.from(bytes));
      await ledger.remember(new Map([[forward, '0']]));
      await ledger.remember(new Map([[filter, '2']]));
      expect(ledger.problems[0]?.message).to.include(kept);
      expect(readFileSync(join(folder, 'state', kept))).to.deep.equal(Buffer.from(bytes));
      const next = await Ledger.load(file, clock);
      expect([next.former.size, next.problems]).to.deep.equal([2, []]);
    });
  }

  it('starts empty from a folder in its place, and moves it aside with all that is in it', async () => {
    mkdirSync(join(file, 'deeper'), { recursive: true });
    const ledger = await Ledger.load(file, clock);
    expect(ledger.problems[0]?.message).to.include('EISDIR');
    await ledger.remember(new Map([[forward, '0']]));
    expect(readdirSync(join(folder, 'state', kept))).to.deep.equal(['deeper']);
    expect([...(await Ledger.load(file, clock)).former]).to.deep.equal([[forward, '0']]);
  });

  it('does not mind that a person has put the damaged file away', async () => {
    mkdirSync(join(folder, 'state'));
    writeFileSync(file, '');
    const ledger = await Ledger.load(file, clock);
    rmSync(file);
    await ledger.remember(new Map([[forward, '0']]));
    expect(readdirSync(join(folder, 'state'))).to.deep.equal(['sysctls.json']);
  });

  it('keeps in memory what it could not write, names it, and writes it when it can', async () => {
    // A file in the place of the folder: no user, root neither, can write below it.
    const ledger = await Ledger.load(file);
    writeFileSync(join(folder, 'state'), '');
    await ledger.remember(
      new Map([
        [forward, '0'],
        [filter, '2'],
      ]),
    );
    await ledger.wrote(new Map([[forward, '1']]));
    expect([...ledger.former.keys()]).to.deep.equal([forward, filter]);
    expect(ledger.problems.map(({ code, severity, subject }) => [code, severity, subject])).to.deep.equal([
      ['sysctl-ledger-not-saved', 'warn', file],
    ]);
    expect(ledger.problems[0]?.message)
      .to.include(`${file} cannot be written: E`)
      .and.to.include('net.ipv4.conf.eth0/100.rp_filter = 2, net.ipv4.ip_forward = 0');
    await ledger.save();
    expect(ledger.problems, 'there is still no room').to.have.length(1);
    rmSync(join(folder, 'state'));
    await ledger.save();
    expect(ledger.problems).to.deep.equal([]);
    const later = await Ledger.load(file);
    expect(later.former.get(forward)).to.equal('0');
    expect(later.written).to.deep.equal(new Map([[forward, '1']]));
  });

  it('names no value that the file has when a later change could not be written', async () => {
    const ledger = await Ledger.load(file);
    await ledger.remember(new Map([[forward, '0']]));
    rmSync(join(folder, 'state'), { recursive: true });
    writeFileSync(join(folder, 'state'), '');
    await ledger.remember(new Map([[filter, '2']]));
    expect(ledger.problems[0]?.message).to.match(/were before: net.ipv4.conf.eth0\/100.rp_filter = 2$/);
    await ledger.forget(new Set([filter]));
    expect(ledger.problems[0]?.message).to.include('the file does not have the last change of a setting');
  });

  it('writes nothing by itself that was not to be written', async () => {
    mkdirSync(join(folder, 'state'));
    writeFileSync(file, '{');
    await (await Ledger.load(file, clock)).save();
    expect(readFileSync(file, 'utf8')).to.equal('{');
  });
});
