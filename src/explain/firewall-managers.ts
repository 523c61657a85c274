/** Programs that make forward chains with a policy of drop, and have words of their own for an exception. */
export type FirewallManager = 'ufw' | 'firewalld' | 'docker';

/**
 * Who made the chain that drops; undefined: nobody known.
 *
 * @param by `chain ip filter FORWARD, its policy drop`
 * @param chains of the ruleset: `ip filter DOCKER-USER`
 */
export function managerOf(by: string, chains: Iterable<string>): FirewallManager | undefined {
  if (by.startsWith('chain inet firewalld ')) return 'firewalld';
  const [, family, table] = /^chain (ip6?) (\w+) /.exec(by) ?? [];
  const names = new Set([...chains].filter((chain) => chain.startsWith(`${family} ${table} `)));
  // Both may be there, and share a chain: Docker's is asked first.
  if (names.has(`${family} ${table} DOCKER-USER`)) return 'docker';
  const ufw = family === 'ip6' ? 'ufw6-before-forward' : 'ufw-before-forward';
  return names.has(`${family} ${table} ${ufw}`) ? 'ufw' : undefined;
}

/** The command that lets packets pass from one interface to another. An accept of ours would not help against a drop. */
export function allowance(manager: FirewallManager, by: string, from: string, to: string): string {
  switch (manager) {
    case 'ufw':
      return `ufw route allow in on ${from} out on ${to}`;
    case 'docker':
      return `${by.startsWith('chain ip6 ') ? 'ip6tables' : 'iptables'} -I DOCKER-USER -i ${from} -o ${to} -j ACCEPT`;
    case 'firewalld': {
      const zone = (link: string): string => `"$(firewall-cmd --get-zone-of-interface=${link})"`;
      return [
        'firewall-cmd --permanent --new-policy eiproute',
        `firewall-cmd --permanent --policy eiproute --add-ingress-zone ${zone(from)} --add-egress-zone ${zone(to)} --set-target ACCEPT`,
        'firewall-cmd --reload',
      ].join(' && ');
    }
    default:
      return manager satisfies never;
  }
}
