import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** Columns of the narrowest terminal that it is read on. */
const pageWidth = 80;

/**
 * What the demo prints: headlines, lines with the one who speaks on the left, and tables. Sentences are broken at
 * blanks so that no line is wider than the page; a command is not, since it is copied.
 */
export class Page {
  readonly #write: (text: string) => void;
  readonly #colour: boolean;

  constructor(write: (text: string) => void, colour: boolean) {
    this.#write = write;
    this.#colour = colour;
  }

  line(text = ''): void {
    this.#write(`${text}\n`);
  }

  headline(number: number, title: string): void {
    this.line(`\n${this.style(['bold', 'cyan'], `${number}  ${title}`)}`);
  }

  /** What was done, or seen, and by whom. */
  said(who: string, what: string): void {
    this.#hang(`   ${who.padEnd(9)}`, `   ${this.style('dim', who.padEnd(9))}`, what);
  }

  /** A command as one would type it. */
  command(where: string, words: string): void {
    this.line(`   ${this.style('dim', where.padEnd(9))}${this.style('yellow', `$ ${words}`)}`);
  }

  good(text: string): void {
    this.#hang('   ✔ ', `   ${this.style('green', '✔')} `, text);
  }

  bad(text: string): void {
    this.#hang('   ✘ ', `   ${this.style('red', '✘')} `, text);
  }

  /** Columns as wide as their widest cell, the last one as wide as the page allows; the first row is the head. */
  table(rows: readonly (readonly string[])[]): void {
    const widths = (rows[0] ?? [])
      .slice(0, -1)
      .map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
    for (const [i, row] of rows.entries()) {
      const front = ['', ...widths.map((width, column) => (row[column] ?? '').padEnd(width)), ''].join('   ');
      const [first = '', ...rest] = broken(row.at(-1) ?? '', pageWidth - front.length);
      const text = `${front}${first}`.trimEnd();
      this.line(i === 0 ? this.style('dim', text) : text);
      for (const more of rest) this.line(`${' '.repeat(front.length)}${more}`);
    }
  }

  /** @param painted `front` in colour, which takes the same columns */
  #hang(front: string, painted: string, text: string): void {
    const [first = '', ...rest] = broken(text, pageWidth - front.length);
    this.line(`${painted}${first}`);
    for (const more of rest) this.line(`${' '.repeat(front.length)}${more}`);
  }

  style(style: Style, text: string): string {
    // The decision is made once, by whoever opened the page; styleText would look at stdout again.
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }
}

/** The lines of a text, broken at blanks; a word that is longer than `width` stays whole. */
function broken(text: string, width: number): readonly string[] {
  return text.split('\n').flatMap((paragraph) => {
    const lines = [''];
    for (const [, gap = '', word = ''] of paragraph.matchAll(/( *)([^ ]+)/g)) {
      const last = lines.at(-1) ?? '';
      if (last === '' || last.length + gap.length + word.length <= width) {
        lines[lines.length - 1] = `${last}${gap}${word}`;
      } else lines.push(word);
    }
    return lines;
  });
}

/** `0.9 ms`, `14 ms`, `1.03 s` */
export function duration(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}
