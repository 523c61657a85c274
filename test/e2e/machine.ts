import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../lab/process/run.ts';

/** What of the machine's own network a demo could disturb, as text. */
export type Machine = Readonly<Record<string, string>>;

export async function machine(): Promise<Machine> {
  const [links, addresses, routes, routes6, rules, rules6, nexthops, nft] = await Promise.all([
    ip('-o link'),
    ip('-o address'),
    ip('-4 route show table all'),
    ip('-6 route show table all'),
    ip('-4 rule'),
    ip('-6 rule'),
    ip('nexthop'),
    run({ argv: ['nft', 'list', 'ruleset'] }),
  ]);
  return {
    links,
    // Counting down, not changing.
    addresses: addresses.replaceAll(/(valid|preferred)_lft \d+sec/g, '$1_lft SEC'),
    routes,
    routes6: routes6.replaceAll(/expires \d+sec/g, 'expires SEC'),
    rules,
    rules6,
    nexthops,
    nft,
    sysctls: [...settings('/proc/sys/net/ipv4'), ...settings('/proc/sys/net/ipv6')].join('\n'),
  };
}

function ip(words: string): Promise<string> {
  return run({ argv: ['ip', ...words.split(' ')] });
}

function* settings(folder: string): Generator<string> {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    const { mode } = statSync(path);
    if (statSync(path).isDirectory()) yield* settings(path);
    // Only what can be read and written is a setting.
    else if ((mode & 0o600) === 0o600) yield `${path} = ${value(path)}`;
  }
}

function value(path: string): string {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch (error) {
    // A secret that is not set cannot be read.
    if (error instanceof Error && 'code' in error && error.code === 'EIO') return 'EIO';
    throw error;
  }
}
