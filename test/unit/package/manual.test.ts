import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { yamlManual } from '../../../package/yaml-manual.ts';
import { announceKeys } from '../../../src/config/announce-keys.ts';
import { nodeSchema } from '../../../src/config/node-schema.ts';
import { termKeys } from '../../../src/config/pool-terms.ts';
import { gatewaySchema } from '../../../src/config/schema.ts';
import { run } from '../cli/world.ts';

function file(name: string): string {
  return readFileSync(new URL(`../../../package/${name}`, import.meta.url), 'utf8');
}

const manual = file('eiproute.8').replaceAll('\\-', '-');
const bash = file('completion.bash');
const zsh = file('completion.zsh');

/** The commands below one, as its help lists them. */
async function commandsOf(...words: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run([...words, '--help']);
  const [, listed = ''] = stdout.split('\nCommands:\n');
  return [...listed.matchAll(/^ {2}([a-z]+)/gm)].map(([, name = '']) => name);
}

/** The options of a command that are its own. */
async function optionsOf(...words: readonly string[]): Promise<readonly string[]> {
  const { stdout } = await run([...words, '--help']);
  const [own = ''] = stdout.split('\nGlobal Options:');
  return [...own.matchAll(/^ {2}(?:-\w, )?(--[a-z-]+)/gm)]
    .map(([, name = '']) => name)
    .filter((name) => name !== '--help');
}

/** The line of a completion that has the options of a command. */
function lineOf(completion: string, command: string): string {
  const found = completion.match(
    new RegExp(`^ +(?:[a-z]+ \\| )*${command}(?: \\| [a-z]+)*\\) (?:options|_arguments).*$`, 'm'),
  );
  return found?.[0] ?? '';
}

/** The line of the manual that a command begins with. @param words 'config print' */
function headingOf(words: string): string {
  return manual.match(new RegExp(`^\\.TP\n(\\.BR? "?${words}\\b.*)$`, 'm'))?.[1] ?? '';
}

function optionsIn(line: string): readonly string[] {
  return [...new Set(line.match(/--[a-z-]+/g))];
}

function wordsIn(text: string | undefined): readonly string[] {
  return text?.match(/(?<=^| )[a-z]+(?= |$)/g) ?? [];
}

describe('manual and completion', () => {
  it('know every command, and no other', async () => {
    const commands = await commandsOf();
    expect(commands).to.include.members(['gateway', 'status', 'drain', 'purge', 'demo', 'help']);
    const [, section = ''] = manual.split(/^\.SH (?:COMMANDS|OPTIONS)$/m);
    const explained = [...section.matchAll(/^\.TP\n\.BR? "?([a-z]+)/gm)].map(([, name]) => name);
    expect([...new Set(explained)], 'manual').to.have.members(commands.filter((name) => name !== 'help'));
    // The demo is not in the package, where completion is.
    const packaged = commands.filter((name) => name !== 'demo');
    expect(wordsIn(bash.match(/''\) options="([^"]*)"/)?.[1]), 'bash, to complete').to.have.members(packaged);
    expect(wordsIn(bash.match(/^ +([a-z |]+)\) command=/m)?.[1]), 'bash, to find').to.have.members(packaged);
    expect(
      [...zsh.matchAll(/^ {2}'([a-z]+):/gm)].map(([, name]) => name),
      'zsh',
    ).to.have.members(packaged);
  });

  it('know every option of every command, and no other', async () => {
    for (const name of await commandsOf()) {
      if (name === 'demo' || name === 'help') continue;
      const options = new Set<string>();
      for (const words of name === 'config' ? ['config check', 'config print'] : [name]) {
        const own = await optionsOf(...words.split(' '));
        expect(optionsIn(headingOf(words)), `manual: ${words}`).to.have.members(own);
        for (const option of own) options.add(option);
      }
      expect(optionsIn(lineOf(bash, name)), `bash: ${name}`).to.have.members([...options]);
      expect(optionsIn(lineOf(zsh, name)), `zsh: ${name}`).to.have.members([...options]);
    }
  });

  it('know the values of the options that have few', () => {
    expect(bash).to.match(/--role\).*gateway node/);
    expect(zsh).to.match(/--role\[[^\]]*\]:role:\(gateway node\)/);
  });

  it('have the sections that a manual has', () => {
    const sections = [...manual.matchAll(/^\.SH (.*)$/gm)].map(([, name]) => name);
    expect(sections).to.include.members([
      'ENVIRONMENT',
      'SIGNALS',
      'EXAMPLES',
      'FILES',
      'EXIT STATUS',
      'SEE ALSO',
    ]);
  });
});

describe('the manual of the file format', () => {
  const docs = (name: string): string =>
    readFileSync(new URL(`../../../docs/${name}`, import.meta.url), 'utf8');
  const parts = {
    page: docs('configuration.md'),
    gatewayExample: docs('gateway.example.yaml'),
    nodeExample: docs('node.example.yaml'),
  };
  const roff = yamlManual(parts);
  const said = roff.replaceAll('\\-', '-');

  it('has every key of both files with its default and its variable', () => {
    for (const { key, preset, variable } of [...gatewaySchema.leaves, ...nodeSchema.leaves]) {
      const [, state = ''] =
        said.match(new RegExp(`^\\\\fB${key.replaceAll('.', '\\.')}\\\\fR(.*)$`, 'm')) ?? [];
      if (preset !== undefined) expect(state, key).to.equal(` (${preset})`);
      expect(said, key).to.include(`\\fB${key}\\fR`);
      expect(said, key).to.include(`\\fB${variable}\\fR`);
    }
    for (const key of [...gatewaySchema.lists, ...nodeSchema.lists, ...termKeys, ...announceKeys])
      expect(said, key).to.include(`\\fB${key}\\fR`);
  });

  it('is refused when the page lacks a key', () => {
    const page = parts.page.replace(/^\| `hashSeed`.*\n/m, '');
    expect(() => yamlManual({ ...parts, page })).to.throw('does not describe hashSeed');
  });

  it('leads to the other manual, and that one here', () => {
    expect(said).to.match(/^\.BR eiproute \(8\)$/m);
    expect(manual).to.match(/^\.BR eiproute\.yaml \(5\),$/m);
  });

  it('has no line that roff would take for a request', () => {
    const requests = said.split('\n').filter((line) => /^[.']/.test(line));
    expect(
      requests.filter((line) => !/^\.(TH|SH|TP|TQ|PP|nf|fi|RS|RE|br|I|BR)( |$)/.test(line)),
    ).to.deep.equal([]);
  });
});
