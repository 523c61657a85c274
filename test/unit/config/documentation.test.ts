import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { exit } from '../../../src/cli/exit.ts';
import { announceKeys } from '../../../src/config/announce-keys.ts';
import { problemLine } from '../../../src/config/config-problem.ts';
import { readGatewayConfig } from '../../../src/config/load.ts';
import { readNodeConfig } from '../../../src/config/load-node.ts';
import { nodeSchema } from '../../../src/config/node-schema.ts';
import { changedKeys } from '../../../src/config/notation.ts';
import { modeKeys } from '../../../src/config/pool-mode.ts';
import { termKeys } from '../../../src/config/pool-terms.ts';
import { allLeaves } from '../../../src/config/schema.ts';

function file(path: string): string {
  return readFileSync(new URL(`../../../docs/${path}`, import.meta.url), 'utf8');
}

function read(text: string): ReturnType<typeof readGatewayConfig> {
  return readGatewayConfig(Buffer.from(text), {
    file: 'gateway.example.yaml',
    env: {},
    flags: [],
    cwd: '/etc',
  });
}

describe('docs/configuration.md', () => {
  const rows = new Map(
    file('configuration.md')
      .split('\n')
      .filter((line) => line.startsWith('| `'))
      .map((line) => line.split('|').map((cell) => cell.trim().replaceAll('`', '')))
      .map(([, key = '', preset = '']) => [key, preset]),
  );
  const required = ['lan', 'uplink'];

  for (const { key, preset } of allLeaves) {
    it(`names ${key} and its default`, () => {
      expect(rows.get(key)).to.equal(preset ?? (required.includes(key) ? 'required' : 'none'));
    });
  }

  for (const { key, preset } of nodeSchema.leaves) {
    it(`names a node's ${key} and its default`, () => {
      expect(rows.get(key)).to.equal(preset ?? 'none');
    });
  }

  it('names no key that does not exist', () => {
    const known = [
      ...[...allLeaves, ...nodeSchema.leaves].map(({ key }) => key),
      ...nodeSchema.lists,
      'pools',
      'clusters',
      'name',
      'addresses',
      ...termKeys,
      ...announceKeys,
      ...modeKeys,
    ];
    expect([...rows.keys()].filter((key) => !known.includes(key))).to.deep.equal([]);
  });
});

describe('docs/gateway.example.yaml', () => {
  const text = file('gateway.example.yaml');
  // Each comment that is a key or belongs below one, as a person would take the "#" away.
  const all = text.replace(
    /^# (?=( {2})?\w+:( |$))(?!Check it|Look at it|source|clusters|context| {2}file|hashSeed|layer2|active| {2}(interface|address|name|lan):)/gm,
    '',
  );

  it('is a good configuration', () => {
    const result = read(text);
    expect(result.kind === 'refused' ? result.errors.map(problemLine) : result.warnings).to.deep.equal([]);
  });

  it('shows every default as it is', () => {
    const shown = read(text);
    const whole = read(all);
    if (shown.kind === 'refused' || whole.kind === 'refused') {
      throw new Error(whole.kind === 'refused' ? whole.errors.map(problemLine).join('\n') : 'refused');
    }
    // The listener has no default: any will do as an example.
    expect(changedKeys(shown.config, whole.config)).to.deep.equal(['metrics.listen']);
    // That nothing differs must not be because nothing was uncommented.
    const silent = allLeaves.filter(({ preset }) => preset !== undefined).map(({ key }) => key);
    const resilient = /^(resilient|allocate|announce|nat)\./;
    for (const key of silent) {
      if (resilient.test(key)) continue;
      expect(whole.origins.get(key)?.kind, key).to.equal('file');
      expect(shown.origins.get(key)?.kind, key).to.equal('default');
    }
  });

  it('names every key', () => {
    for (const { key } of allLeaves) {
      const name = key.slice(key.lastIndexOf('.') + 1);
      expect(text, key).to.match(new RegExp(`^#? *${name}:`, 'm'));
    }
  });
});

describe('docs/node.example.yaml', () => {
  const text = file('node.example.yaml');
  const all = text.replace(/^# (?=( {2})?\w+:( |$))(?!Check it)/gm, '');
  const loaded = (content: string) => {
    const result = readNodeConfig(Buffer.from(content), {
      file: 'node.yaml',
      env: {},
      flags: [],
      cwd: '/etc',
    });
    if (result.kind === 'refused') throw new Error(result.errors.map(problemLine).join('\n'));
    return result;
  };

  it('is a good configuration, and shows every default as it is', () => {
    expect(loaded(text).warnings).to.deep.equal([]);
    // The interface and the object have no default: any will do as an example.
    const changed = changedKeys(loaded(text).config, loaded(all).config);
    expect(changed.filter((key) => !key.startsWith('eipsFrom.'))).to.deep.equal([
      'interface',
      'metrics.listen',
    ]);
    expect(loaded(all).config.eipsFrom).to.include({ key: 'eips', every: 30_000 });
  });

  it('names every key', () => {
    for (const { key } of nodeSchema.leaves) {
      const name = key.slice(key.lastIndexOf('.') + 1);
      expect(text, key).to.match(new RegExp(`^#? *${name}:`, 'm'));
    }
  });
});

describe('docs/exit-codes.md', () => {
  it('is the same as the code', () => {
    const rows = [...file('exit-codes.md').matchAll(/^\| (\d+) +\| (\w+) +\|/gm)].map(([, code, name]) => [
      name,
      Number(code),
    ]);
    expect(Object.fromEntries(rows)).to.deep.equal({ ...exit });
  });
});
