import { spawnSync } from 'node:child_process';

/**
 * First line in `before` of a suite that makes network namespaces: without root it skips with the reason, and
 * under CI=true, where nobody reads reasons, it fails.
 */
export function needRoot(context: Mocha.Context): void {
  if (process.getuid?.() !== 0) without(context, 'root: network namespaces, nft and sysctls');
}

/** The same for programs of Debian that `sh scripts/setup e2e` installs. */
export function needPrograms(context: Mocha.Context, ...names: readonly string[]): void {
  const missing = names.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0);
  if (missing.length > 0) without(context, `${missing.join(', ')}: sh scripts/setup e2e`);
}

function without(context: Mocha.Context, what: string): void {
  const reason = `needs ${what}`;
  const { CI } = process.env;
  if (CI === 'true') throw new Error(reason);
  const suite = context.test?.parent;
  if (suite) suite.title += ` [skipped: ${reason}]`;
  context.skip();
}
