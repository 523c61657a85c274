import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { ClusterLog, LogError, logLine, readLog } from '../../../src/cluster/cluster-log.ts';

async function place(): Promise<AsyncDisposable & { folder: string; file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'eiproute-log-'));
  return {
    folder,
    file: join(folder, 'cluster.json'),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  };
}

const header = 'eiproute-cluster-log 2\n';
const put = (name: string, value: number): string => logLine('Service', name, [{ name, value, sign: 'é' }]);
const gone = (name: string): string => logLine('Service', name, undefined);

function contentOf(text: Buffer | string) {
  const { objects, length, damaged } = readLog(Buffer.from(text));
  return { objects: [...objects], length, damaged };
}

function read(text: Buffer | string): string {
  return contentOf(text)
    .objects.map((object) => JSON.stringify(object).replace(/[^a-z0-9]*(name|value|sign|é)[^a-z0-9é]*/g, ' '))
    .join('; ')
    .replaceAll(/ +/g, ' ')
    .trim();
}

describe('the log of the cluster', () => {
  it('is read as the last record of each key', () => {
    const text = header + put('a', 1) + put('b', 2) + put('a', 3) + gone('b') + put('c', 4);
    expect(contentOf(text)).to.deep.equal({
      objects: [
        { name: 'a', value: 3, sign: 'é' },
        { name: 'c', value: 4, sign: 'é' },
      ],
      length: Buffer.byteLength(text),
      damaged: 0,
    });
  });

  it('keeps a Node apart from a Service of the same name', () => {
    const text = header + logLine('Node', 'a', [{ of: 'node' }]) + put('a', 1) + gone('a');
    expect(contentOf(text).objects).to.deep.equal([{ of: 'node' }]);
  });

  it('is read up to its last whole record wherever it is cut off', () => {
    const start = Buffer.from(header + put('a', 1));
    const whole = Buffer.concat([start, Buffer.from(put('a', 2))]);
    for (let length = start.length; length < whole.length; length += 1) {
      const { objects, length: valid, damaged } = contentOf(whole.subarray(0, length));
      expect({ objects, valid, damaged }, `cut off at ${length}`).to.deep.equal({
        objects: [{ name: 'a', value: 1, sign: 'é' }],
        valid: start.length,
        damaged: 0,
      });
    }
    expect(read(whole)).to.contain('2');
  });

  it('loses no more than the records of which a byte is damaged, and counts them', () => {
    const before = Buffer.from(header + put('a', 1));
    const record = Buffer.from(put('b', 2));
    const after = Buffer.from(put('c', 3));
    for (let at = 0; at < record.length - 1; at += 1) {
      const text = Buffer.concat([before, record, after]);
      text.writeUInt8((text.readUInt8(before.length + at) + 1) % 256, before.length + at);
      const { objects, damaged } = contentOf(text);
      expect([objects, damaged], `byte ${at}`).to.deep.equal([
        [
          { name: 'a', value: 1, sign: 'é' },
          { name: 'c', value: 3, sign: 'é' },
        ],
        1,
      ]);
    }
  });

  for (const text of ['', 'x', 'eiproute-cluster-log 2', 'eiproute-cluster-log 9\n', '{"items":[]}']) {
    it(`is not what begins with ${JSON.stringify(text)}`, () => {
      expect(() => readLog(Buffer.from(text))).to.throw(LogError, 'it begins with');
    });
  }

  it('is continued after its last whole record', async () => {
    await using at = await place();
    const start = header + put('a', 1);
    await writeFile(at.file, start + put('b', 2).slice(0, -5));
    const log = new ClusterLog(at.file, readLog(await readFile(at.file)).length);
    expect(log.isOpen).to.equal(true);
    await log.append([put('c', 3)]);
    await log.close();
    expect(await readFile(at.file, 'utf8')).to.equal(start + put('c', 3));
  });

  it('is long when what no longer counts outweighs the rest, and short again after a compaction', async () => {
    await using at = await place();
    const log = new ClusterLog(at.file, undefined);
    const line = put('a'.repeat(1000), 1);
    await log.compact([line]);
    while (!log.isLong) await log.append([line]);
    expect((await stat(at.file)).size).to.be.within(256_000, 300_000);
    await log.compact([line]);
    expect(log.isLong).to.equal(false);
    expect(await readFile(at.file, 'utf8')).to.equal(header + line);
    await log.append([gone('b')]);
    await log.close();
    expect(await readFile(at.file, 'utf8')).to.equal(header + line + gone('b'));
    expect(await readdir(at.folder)).to.deep.equal(['cluster.json']);
  });

  it('has to be compacted after a write that failed, since it may end in half a record', async () => {
    await using at = await place();
    const log = new ClusterLog(at.file, 7);
    await rm(at.folder, { recursive: true });
    const error = await log.append([put('a', 1)]).catch((reason: NodeJS.ErrnoException) => reason.code);
    expect(error).to.equal('ENOENT');
    expect(log.isOpen).to.equal(false);
    await log.compact([put('a', 1)]);
    await log.close();
    expect(read(await readFile(at.file))).to.equal('a 1');
  });

  it('has all that it took when the process is killed', async () => {
    const writer = fileURLToPath(new URL('log-writer.ts', import.meta.url));
    for (let run = 0; run < 12; run += 1) {
      await using at = await place();
      const child = spawn(process.execPath, [writer, at.file], { stdio: ['ignore', 'pipe', 'inherit'] });
      const exit = once(child, 'exit');
      let taken = -1;
      // At another place each time: within a record, between two, in a compaction.
      const last = 40 + run * 37;
      for await (const line of createInterface(child.stdout)) {
        taken = Number(line);
        if (taken === last) child.kill('SIGKILL');
      }
      await exit;
      const { objects, damaged } = contentOf(await readFile(at.file));
      const found = objects.map((object) => Number(JSON.stringify(object).match(/"number":(\d+)/)?.[1]));
      expect(damaged).to.equal(0);
      const newest = Math.max(...found);
      expect(newest).to.be.within(taken, taken + 1);
      expect(found.sort((a, b) => a - b)).to.deep.equal(
        Array.from({ length: 10 }, (_, index) => newest - 9 + index),
      );
    }
  });
});
