/**
 * First line in `before` of a suite that makes network namespaces: without root it skips with the reason, and
 * under CI=true, where nobody reads reasons, it fails.
 */
export function needRoot(context: Mocha.Context): void {
  if (process.getuid?.() === 0) return;
  const reason = 'needs root: network namespaces, nft and sysctls';
  const { CI } = process.env;
  if (CI === 'true') throw new Error(reason);
  const suite = context.test?.parent;
  if (suite) suite.title += ` [skipped: ${reason}]`;
  context.skip();
}
