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
import { Ledger, LedgerError } from '../../../src/kernel/ledger.ts';

const forward = 'net/ipv4/ip_forward';
const filter = 'net/ipv4/conf/eth0.100/rp_filter';

async function failure(work: Promise<unknown>): Promise<unknown> {
  try {
    await work;
  } catch (error) {
    return error;
  }
  throw new Error('it did not fail');
}

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

  it('remembers over a restart, and tells its version', async () => {
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

  const garbage: Readonly<Record<string, string>> = {
    'an empty file': '',
    'half a file': '{"version": 1, "sysctls": {"net/ipv4/ip_f',
    'another kind of value': '[]',
    'a later version': '{"version": 2, "sysctls": {}}',
    'no version': '{"sysctls": {}}',
    'no sysctls': '{"version": 1}',
    'a value that is no text': '{"version": 1, "sysctls": {"net/ipv4/ip_forward": 1}}',
    'a path that leaves /proc/sys': '{"version": 1, "sysctls": {"../../etc/passwd": "x"}}',
    'a path with an empty part': '{"version": 1, "sysctls": {"/etc/passwd": "x"}}',
  };
  for (const [what, text] of Object.entries(garbage)) {
    it(`refuses ${what}, names the file, and leaves it as it is`, async () => {
      mkdirSync(join(folder, 'state'));
      writeFileSync(file, text);
      const error = await failure(Ledger.load(file));
      expect(error).to.be.instanceOf(LedgerError);
      expect(String(error)).to.include(file);
      expect(readFileSync(file, 'utf8')).to.equal(text);
    });
  }

  it('remembers nothing that it could not write', async () => {
    // A file in the place of the folder: no user, root neither, can write below it.
    writeFileSync(join(folder, 'state'), '');
    const ledger = await Ledger.load(join(folder, 'state', 'deeper', 'sysctls.json')).catch(() => undefined);
    expect(ledger).to.equal(undefined);
    rmSync(join(folder, 'state'));
    const fine = await Ledger.load(file);
    writeFileSync(join(folder, 'state'), '');
    const error = await failure(fine.remember(new Map([[forward, '0']])));
    expect(error).to.be.instanceOf(LedgerError);
    expect(String(error)).to.include(file).and.to.include('no sysctl is changed');
    expect(fine.former.size).to.equal(0);
  });
});
