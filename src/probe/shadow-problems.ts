import type { Lookup } from '../kernel/lookup-port.ts';
import { compareIp, family, type Ip, onlyIp, prefixIp } from '../model/ip.ts';
import { describe, type LinkNames } from '../model/iproute.ts';
import type { Problem } from '../model/problem.ts';
import { someNames } from '../model/some-names.ts';
import { refusalWords } from './refusal.ts';

/** What the kernel does with the packets of an EIP instead of taking eiproute's route. */
export type Shadow = Exclude<Lookup, { kind: 'unnamed' }>;

/** EIPs that one message has room for. */
const mostNames = 6;

/** One problem for all EIPs that the same rule, or routes alike, take; by address. */
export function shadowProblems(shadows: ReadonlyMap<Ip, Shadow>, names: LinkNames): readonly Problem[] {
  const byAddress = [...shadows].sort(([a], [b]) => compareIp(a, b));
  const groups = Map.groupBy(byAddress, ([ip, shadow]) => causeOf(ip, shadow, names));
  return [...groups].flatMap(([cause, of]) => {
    const [first] = of;
    return first === undefined
      ? []
      : [
          problemOf(
            cause,
            first,
            of.map(([ip]) => ip),
            names,
          ),
        ];
  });
}

function problemOf(
  cause: string,
  [ip, shadow]: readonly [Ip, Shadow],
  eips: readonly Ip[],
  names: LinkNames,
): Problem {
  const command = family(ip) === 6 ? 'ip -6' : 'ip';
  const what =
    shadow.kind === 'refused'
      ? `the kernel refuses the packets (${refusalWords(shadow.code)})`
      : `the kernel takes "${describe(shadow.route, names)}"`;
  return {
    code: 'eip-shadowed',
    severity: 'error',
    subject: cause,
    message: `${someNames(eips, mostNames)}: ${what} instead of eiproute's route, which is in the kernel`,
    advice: `find what comes first, and delete it: ${command} rule show; ${command} route show table all ${ip}; eiproute trace ${ip}`,
    ...(eips.length === 1 && { eip: ip }),
  };
}

/** What a rule or a program has done to several EIPs at once. */
function causeOf(ip: Ip, shadow: Shadow, names: LinkNames): string {
  const of = `IPv${family(ip)}`;
  if (shadow.kind === 'refused') return `${of} ${shadow.code}`;
  const { route } = shadow;
  // A route of its own for each EIP: the rest is alike.
  const words = describe(route, names).split(' ');
  const host = onlyIp(route.dst) === undefined ? undefined : prefixIp(route.dst);
  return `${of} ${words.filter((word) => word !== host).join(' ')}`;
}

/** @param why in the kernel's words, or what makes the answer unclear */
export function lookupProblem(why: string): Problem {
  return {
    code: 'route-lookup',
    severity: 'warn',
    subject: 'route lookup',
    message: `whether the kernel takes eiproute's routes is not known: ${why}`,
    advice:
      'it is asked again at each resync; for one EIP: eiproute trace ADDRESS; ip rule show; ip -6 rule show',
  };
}
