import { existsSync } from 'node:fs';

/**
 * First line in `before` of a suite that makes network namespaces: without root it skips with the reason, and
 * under CI=true, where nobody reads reasons, it fails.
 */
export function needRoot(context: Mocha.Context): void {
  if (process.getuid?.() === 0) return;
  without(context, 'needs root: network namespaces, nft and sysctls');
}

/** The same for the programs of Debian that `sh scripts/setup routing` installs. */
export function needRouting(context: Mocha.Context): void {
  needRoot(context);
  const missing = ['/usr/sbin/bird', '/usr/lib/frr/zebra', '/usr/sbin/keepalived'].filter(
    (program) => !existsSync(program),
  );
  if (missing.length > 0) without(context, `needs ${missing.join(', ')}: sh scripts/setup routing`);
}

function without(context: Mocha.Context, reason: string): void {
  const { CI } = process.env;
  if (CI === 'true') throw new Error(reason);
  const suite = context.test?.parent;
  if (suite) suite.title += ` [skipped: ${reason}]`;
  context.skip();
}
