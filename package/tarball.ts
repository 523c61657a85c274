import { join } from 'node:path';
import { output } from './run.ts';

/** What a package says of itself. */
export interface Said {
  readonly version: string;
  readonly architecture: string;
  /** s since 1970: the time of every file in it */
  readonly epoch: number;
}

/** For distributions without dpkg: `tar -xzf FILE -C / --strip-components=1`, and see docs/operations.md. */
export async function writeTarball(root: string, said: Said, folder: string): Promise<string> {
  const name = `eiproute-${said.version}-linux-${said.architecture}`;
  const file = join(folder, `${name}.tar.gz`);
  const same = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--format=gnu'];
  await output([
    'tar',
    ...same,
    `--mtime=@${said.epoch}`,
    `--transform=s,^\\.,${name},`,
    '--use-compress-program=gzip -9n',
    '-cf',
    file,
    '-C',
    root,
    '.',
  ]);
  return file;
}
