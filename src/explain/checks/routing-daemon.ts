import type { Gateway } from '../../model/gateway.ts';
import { type Check, check } from '../check.ts';
import type { DoctorFacts, FamilyRoutes, RoutingDaemon, RoutingDaemonFacts } from '../doctor-facts.ts';

/** Whether the routing daemon has as many routes as it is to announce; none where nothing is announced by one. */
export function routingDaemonChecks(
  { routingDaemons }: DoctorFacts,
  { announce }: Gateway,
): readonly Check[] {
  const name = 'routing daemon';
  const table = announce?.table;
  if (routingDaemons.kind === 'not asked')
    return table === undefined ? [] : [check(name, '?', routingDaemons.why)];
  const asked = routingDaemons.asked.filter(({ daemon }) => daemon === 'FRR' || table !== undefined);
  // A daemon that includes nothing of ours is here for something else, if another one does.
  const ours = asked.filter(({ answer }) => answer.kind !== 'not included');
  if (ours.length > 0) return ours.map((one) => checkOf(one, table));
  if (table === undefined) return [];
  const [other] = asked;
  return [
    other === undefined
      ? check(
          name,
          'warn',
          `neither BIRD nor FRR runs in this network namespace, to announce table ${table}`,
          {
            advice: `start it with what ${command('BIRD')} or ${command('FRR')} prints; where another program announces the table, nothing is wrong`,
          },
        )
      : check(name, 'warn', `${other.daemon} has nothing of what ${command(other.daemon)} prints`, {
          advice: includeAdvice(other.daemon),
        }),
  ];
}

function checkOf({ daemon, answer }: RoutingDaemonFacts, table: number | undefined): Check {
  const name = 'routing daemon';
  switch (answer.kind) {
    case 'not included':
      return check(name, '-', `${daemon} is here for something else`);
    case 'not permitted':
      return check(name, '?', `${daemon} may not be asked: ${answer.why}`, { advice: 'run it as root' });
    case 'silent':
      return check(name, '?', `${daemon} runs and does not answer: ${answer.why}`, {
        advice: daemon === 'BIRD' ? 'systemctl status bird' : 'systemctl status frr; vtysh -c "show daemons"',
      });
    case 'tells': {
      const { families, sessions } = answer;
      const what = daemon === 'BIRD' ? `routes of table ${table}` : 'routes of EIPs';
      const wrong = families.filter(({ has, should }) => has < should.least || has > should.most);
      const isUp = sessions.filter(({ state }) => state === 'Established');
      const down = sessions.filter(({ state }) => state !== 'Established');
      const names = (some: typeof sessions): string => some.map((one) => one.name).join(', ');
      const states = down.map((one) => `${one.name} is ${one.state}`).join(', ');
      if (wrong.length > 0)
        return check(name, 'FAIL', wrong.map((one) => `${daemon} has ${difference(one, what)}`).join('; '), {
          more: down.length === 0 ? [] : [states],
          advice: includeAdvice(daemon),
        });
      const total = families.reduce((sum, { has }) => sum + has, 0);
      const fine = `${daemon} has all ${total} ${what}`;
      if (down.length === 0)
        return check(name, 'ok', isUp.length === 0 ? fine : `${fine}; established: ${names(isUp)}`);
      return check(name, isUp.length === 0 ? 'FAIL' : 'warn', `${fine}; ${states}`, {
        advice: `see to the session: ${daemon === 'BIRD' ? `birdc show protocols all ${down[0]?.name}` : `vtysh -c "show bgp neighbors ${down[0]?.name}"`}`,
      });
    }
    default:
      return answer satisfies never;
  }
}

function difference({ family, has, should: { least, most } }: FamilyRoutes, what: string): string {
  return has < least
    ? `${has} of ${least} ${what} (IPv${family})`
    : `${has} routes for ${most} ${what} (IPv${family})`;
}

function command(daemon: RoutingDaemon): string {
  return daemon === 'BIRD' ? '"eiproute bird"' : '"eiproute frr"';
}

function includeAdvice(daemon: RoutingDaemon): string {
  return daemon === 'BIRD'
    ? 'make the include anew: eiproute bird > /etc/bird/eips.conf; birdc configure; what the kernel has not told, it finds at its next scan, within a minute'
    : 'eiproute frr > eips.conf; vtysh -f eips.conf, and redistribute kernel route-map EIP4 (EIP6); zebra needs -s 90000000 in /etc/frr/daemons, or it misses routes until it is restarted';
}
