/** Of an odd number the one in the middle, of an even one the mean of the two. */
export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)];
  const lower = sorted[Math.ceil(middle) - 1];
  if (upper === undefined || lower === undefined) throw new RangeError('the median of nothing');
  return (lower + upper) / 2;
}

/** Rows of cells, in columns: the first to the left, the others to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    // A row of two is a name and a remark, which may be long.
    for (const [i, cell] of row.length > 2 ? row.entries() : []) {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    }
  }
  const first = Math.max(...rows.map(([name = '']) => name.length));
  return rows
    .map(([name = '', ...cells]) => {
      const rest = cells.length > 1 ? cells.map((cell, i) => cell.padStart(widths[i + 1] ?? 0)) : cells;
      return `  ${[name.padEnd(first), ...rest].join('   ')}`.trimEnd();
    })
    .join('\n');
}
