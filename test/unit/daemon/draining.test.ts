import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { DaemonError } from '../../../src/daemon/daemon-error.ts';
import { Draining } from '../../../src/daemon/draining.ts';

describe('a gateway that is drained', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'eip-drain-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const at = Date.UTC(2026, 0, 5, 9, 42, 10);
  const since = async () => (await Draining.recall(folder)).since;

  it('is so after a restart, until it is ended', async () => {
    const draining = await Draining.recall(folder);
    expect(draining.since).to.equal(undefined);
    await draining.begin(at);
    expect([draining.since, await since()]).to.deep.equal([
      '2026-01-05T09:42:10.000Z',
      '2026-01-05T09:42:10.000Z',
    ]);
    await draining.end();
    expect([draining.since, await since()]).to.deep.equal([undefined, undefined]);
    await draining.end();
  });

  it('keeps the time of the first order', async () => {
    const draining = await Draining.recall(folder);
    await draining.begin(at);
    await draining.begin(at + 5000);
    expect(await since()).to.equal('2026-01-05T09:42:10.000Z');
  });

  it('makes the state directory when there is none', async () => {
    const deep = join(folder, 'state');
    await (await Draining.recall(deep)).begin(at);
    expect(existsSync(join(deep, 'draining'))).to.equal(true);
  });

  it('is drained by a file that was cut off: somebody has asked for it', async () => {
    writeFileSync(join(folder, 'draining'), '2026-');
    expect(await since()).to.equal('1970-01-01T00:00:00.000Z');
  });

  it('says which file cannot be read or written, and changes nothing', async () => {
    const draining = await Draining.recall(folder);
    mkdirSync(join(folder, 'draining.new'));
    const error = await draining.begin(at).then(
      () => undefined,
      (cause: unknown) => cause,
    );
    expect(error).to.be.instanceOf(DaemonError);
    expect(String(error)).to.match(/cannot write .*draining: EISDIR/);
    expect(draining.since).to.equal(undefined);
    rmSync(join(folder, 'draining.new'), { recursive: true });
    mkdirSync(join(folder, 'draining'));
    const unread = await Draining.recall(folder).catch((cause: unknown) => cause);
    expect(String(unread)).to.match(
      /cannot read .*draining, which says whether this gateway is drained: EISDIR/,
    );
  });
});
