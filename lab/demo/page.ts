import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

/** What the demo prints: headlines, lines with the one who speaks on the left, and tables. */
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
    this.line(`   ${this.style('dim', who.padEnd(9))}${what}`);
  }

  /** A command as one would type it. */
  command(where: string, words: string): void {
    this.said(where, this.style('yellow', `$ ${words}`));
  }

  good(text: string): void {
    this.line(`   ${this.style('green', '✔')} ${text}`);
  }

  bad(text: string): void {
    this.line(`   ${this.style('red', '✘')} ${text}`);
  }

  /** Columns as wide as their widest cell; the first row is the head. */
  table(rows: readonly (readonly string[])[]): void {
    const widths = (rows[0] ?? []).map((_, column) =>
      Math.max(...rows.map((row) => row[column]?.length ?? 0)),
    );
    for (const [i, row] of rows.entries()) {
      const text = row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('   ')
        .trimEnd();
      this.line(`   ${i === 0 ? this.style('dim', text) : text}`);
    }
  }

  style(style: Style, text: string): string {
    // The decision is made once, by whoever opened the page; styleText would look at stdout again.
    return this.#colour ? styleText(style, text, { validateStream: false }) : text;
  }
}

/** `0.9 ms`, `14 ms`, `1.03 s` */
export function duration(ms: number): string {
  if (ms < 9.95) return `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${ms.toFixed(0)} ms`;
  return `${(ms / 1000).toFixed(2)} s`;
}
