import type { Container } from './container.ts';

/** What an uninstalled program could have left on a host, as text. */
export type HostState = Readonly<Record<string, string>>;

/** Written by the tools that add or remove a user or a package, or by Ansible, whatever came and went. */
const traces = [
  '/etc/.pwd.lock',
  '/etc/passwd-',
  '/etc/group-',
  '/etc/shadow-',
  '/etc/gshadow-',
  '/var/lib/dpkg/*',
  '/var/log/*',
  '/var/lib/systemd/*',
  '/var/cache/ldconfig/*',
  '/root/.ansible*',
  '/tmp/*',
  '/var/tmp/*',
];

export async function stateOf(host: Container): Promise<HostState> {
  const skipped = traces.map((path) => `! -path '${path}'`).join(' ');
  return {
    routes: await host.sh('ip -4 route show table all'),
    routes6: (await host.sh('ip -6 route show table all')).replaceAll(/expires \d+sec/g, 'expires SEC'),
    nexthops: await host.sh('ip nexthop'),
    rules: await host.sh('ip rule; ip -6 rule'),
    nft: await host.sh('nft list ruleset'),
    sysctls: await host.sh("sysctl -a -r '^net\\.' 2>/dev/null | grep -v nf_conntrack_count"),
    users: await host.sh('cat /etc/passwd /etc/group'),
    units: await host.sh('systemctl list-unit-files --no-legend --no-pager'),
    // With what is in them: a file that somebody else owns must not have been changed either.
    files: await host.sh(
      `find / -xdev -type f ${skipped} -exec md5sum {} + | sort -k 2; find / -xdev ! -type f ${skipped} -printf '%y %m %u %p %l\\n' | sort`,
    ),
  };
}

/** Lines that came (+) or went (-), so that a failure says which. */
export function difference(before: HostState, after: HostState): readonly string[] {
  return Object.keys(before).flatMap((what) => {
    const [old, now] = [before[what] ?? '', after[what] ?? ''].map((text) => new Set(text.split('\n')));
    return [
      ...[...(old ?? [])].filter((line) => !now?.has(line)).map((line) => `${what}: - ${line}`),
      ...[...(now ?? [])].filter((line) => !old?.has(line)).map((line) => `${what}: + ${line}`),
    ];
  });
}
