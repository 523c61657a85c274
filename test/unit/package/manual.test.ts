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
