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
    case 'docker': {
      // Docker lets replies pass to its own bridges only.
      const add = `${by.startsWith('chain ip6 ') ? 'ip6tables' : 'iptables'} -I DOCKER-USER`;
      return [
        `${add} -i ${from} -o ${to} -j ACCEPT`,
        `${add} -i ${to} -o ${from} -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT`,
      ].join(' && ');
    }
    case 'firewalld': {
      // A policy does not hold for an interface that no zone names, although the default zone is asked about it.
      const bind = (link: string): string =>
        `{ firewall-cmd --get-zone-of-interface=${link} || firewall-cmd --permanent --add-interface=${link}; }`;
      const policy = 'firewall-cmd --permanent --policy=eiproute';
      const zone = (link: string): string => `"$(firewall-cmd --get-zone-of-interface=${link})"`;
      return [
        bind(from),
        bind(to),
        'firewall-cmd --permanent --new-policy=eiproute',
        'firewall-cmd --reload',
        `${policy} --add-ingress-zone=${zone(from)}`,
        `${policy} --add-egress-zone=${zone(to)}`,
        `${policy} --set-target=ACCEPT`,
        'firewall-cmd --reload',
      ].join(' && ');
    }
    default:
      return manager satisfies never;
  }
}
