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

describe('manual and completion', () => {
  it('know every command', async () => {
    const commands = await commandsOf();
    expect(commands).to.include.members(['gateway', 'status', 'drain', 'purge', 'demo', 'help']);
    for (const name of commands) {
      if (name !== 'help') expect(manual, name).to.match(new RegExp(`^\\.BR? "?${name}\\b`, 'm'));
      // The demo is not in the package, where completion is.
      if (name === 'demo') continue;
      expect(bash, name).to.match(new RegExp(`'\\) options="[^"]*\\b${name}\\b`));
      expect(zsh, name).to.match(new RegExp(`^ {2}'${name}:`, 'm'));
    }
  });

  it('know every option of every command', async () => {
    for (const name of await commandsOf()) {
      if (name === 'demo' || name === 'help') continue;
      const below = name === 'config' ? ['check', 'print'] : [''];
      for (const sub of below) {
        for (const option of await optionsOf(...[name, sub].filter((word) => word !== ''))) {
          expect(lineOf(bash, name), `bash: ${name} ${option}`).to.include(option);
          expect(lineOf(zsh, name), `zsh: ${name} ${option}`).to.include(option);
          expect(manual, `manual: ${name} ${option}`).to.match(
            new RegExp(`^\\.BR? .*\\b${name}\\b.*${option}\\b`, 'm'),
          );
        }
      }
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
