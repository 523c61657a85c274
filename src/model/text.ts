// Names, annotations and messages come from other programs. They are made printable here before they are shown.

/** Control and format characters (including bidirectional ones), line separators, and unassigned code points. */
const unprintable = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** Longer ones are cut: a Service may carry 256 KiB of annotations. */
const longest = 2000;
const longestQuoted = 60;

/**
 * The text on one line, safe for a terminal: a line break becomes the two characters `\n`.
 *
 * @param most characters, more are cut and counted
 */
export function printable(text: string, most = longest): string {
  const short = text.length > most ? `${text.slice(0, most)}... (${text.length} characters)` : text;
  return short.replace(unprintable, escaped);
}

/** A foreign word within a sentence: in double quotes, printable, and cut when it is long. */
export function quoted(text: string): string {
  const short = text.length > longestQuoted ? `${text.slice(0, longestQuoted - 3)}...` : text;
  return JSON.stringify(short).replace(unprintable, escaped);
}

/** JSON that is safe for a terminal; a parser reads the same value. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2)
    .split('\n')
    .map((line) => line.replace(unprintable, escaped))
    .join('\n');
}

/** As JSON writes it. */
function escaped(character: string): string {
  const short = JSON.stringify(character).slice(1, -1);
  if (short !== character) return short;
  // One escape per UTF-16 unit.
  return Array.from(
    { length: character.length },
    (_, i) => `\\u${character.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('');
}

const plainWord = /^[\w@%+=:,./-]+$/;

/** The text as one word of a POSIX shell. */
export function shellWord(text: string): string {
  if (plainWord.test(text)) return text;
  if (text.search(unprintable) < 0) return `'${text.replaceAll("'", `'\\''`)}'`;
  // A pasted control character would be a command to the terminal.
  const bytes = [...Buffer.from(text)].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join('');
  return `"$(printf '${bytes}')"`;
}

/**
 * A comment behind a command, or on a line of its own. It is harmless in an interactive zsh as well, where `#` is an
 * ordinary word.
 */
export function shellComment(text: string): string {
  const words = printable(text);
  return `# ${/^[\w@%+=:,./ -]*$/.test(words) ? words : shellWord(words)}`;
}
