import { findPrograms } from '../../lab/cluster/real/programs.ts';
import type { LabKind } from '../../lab/lab.ts';
import { needRoot } from '../e2e/root.ts';

const { CI } = process.env;

type RealKind = Extract<LabKind, { readonly cluster: 'real' }>;

export function real(proxy: RealKind['proxy'], options: Partial<RealKind> = {}): RealKind {
  return { cluster: 'real', proxy, ...options };
}

/**
 * First line in `before` of a suite: where the programs of Kubernetes are missing it skips with the reason, and fails
 * under CI=true.
 */
export async function needKubernetes(context: Mocha.Context): Promise<void> {
  needRoot(context);
  try {
    await findPrograms();
  } catch (error) {
    if (CI === 'true') throw error;
    const suite = context.test?.parent;
    if (suite) suite.title += ` [skipped: ${error instanceof Error ? error.message : error}]`;
    context.skip();
  }
}
