import { readFileSync } from 'node:fs';
import { expect } from 'chai';
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
