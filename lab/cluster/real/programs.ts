import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CommandError, outcome, run } from '../../process/run.ts';

const build = fileURLToPath(new URL('../../../test/hyperkube/build.sh', import.meta.url));

export const components = ['etcd', 'kube-apiserver', 'kube-controller-manager', 'kube-proxy'] as const;
export type Component = (typeof components)[number];

/** The programs of one release of Kubernetes: how to start each, and which release it is. */
export interface Programs {
  /** `1.37.2` */
  readonly release: string;
  readonly argv: Readonly<Record<Component, readonly string[]>>;
}

/** The release that is asked for, as `sh scripts/setup cluster` and `npm run test:cluster -- 1.33` set it. */
const minor = process.env['EIPROUTE_KUBERNETES'] || '1.37';

/**
 * Finds the programs of the release in $EIPROUTE_KUBERNETES, or of the newest: those in $KUBEBUILDER_ASSETS when its
 * kube-apiserver is of this minor release, and for all that it lacks the program of test/hyperkube, when the cache has
 * it. It builds nothing.
 *
 * @throws CommandError what is missing, and how to get it
 */
export async function findPrograms(): Promise<Programs> {
  const assets = await assetsOf();
  const lacks = components.filter((name) => !assets.paths.has(name));
  if (lacks.length === 0) return { release: assets.release, argv: argvOf((name) => assets.paths.get(name)) };
  const { status, out, err } = await outcome({ argv: ['sh', build, '--if-cached', minor] });
  if (status !== 0) {
    const why = status === 3 ? 'not built yet' : err.trim();
    throw new CommandError(
      `no ${lacks.join(', ')} of Kubernetes ${minor}: ${why}. "sh scripts/setup cluster" builds it once (it needs Go and up to 12 minutes)`,
    );
  }
  const program = out.trim();
  const words = await run({ argv: [program, 'kube-apiserver', '--version'] });
  return {
    release: releaseOf(words),
    argv: argvOf((name) => assets.paths.get(name), program),
  };
}

/** What envtest and other tools of the field have installed, if it is of this release. */
async function assetsOf(): Promise<{
  readonly release: string;
  readonly paths: ReadonlyMap<Component, string>;
}> {
  const { KUBEBUILDER_ASSETS: folder } = process.env;
  const server = folder === undefined ? '' : join(folder, 'kube-apiserver');
  if (folder === undefined || !existsSync(server)) return { release: '', paths: new Map() };
  const release = releaseOf(await run({ argv: [server, '--version'] }));
  if (!release.startsWith(`${minor}.`)) return { release, paths: new Map() };
  const paths = components.map((name) => [name, join(folder, name)] as const);
  return { release, paths: new Map(paths.filter(([, path]) => existsSync(path))) };
}

function argvOf(
  own: (name: Component) => string | undefined,
  hyperkube = '',
): Readonly<Record<Component, readonly string[]>> {
  const argv = (name: Component): readonly string[] => {
    const path = own(name);
    return path === undefined ? [hyperkube, name] : [path];
  };
  return {
    etcd: argv('etcd'),
    'kube-apiserver': argv('kube-apiserver'),
    'kube-controller-manager': argv('kube-controller-manager'),
    'kube-proxy': argv('kube-proxy'),
  };
}

/** @param words `Kubernetes v1.37.2` */
function releaseOf(words: string): string {
  return /v(\d+\.\d+\.\d+)/.exec(words)?.[1] ?? words.trim();
}
