import { defaultRouteText } from '../../kernel/default-routes.ts';
import type { Gateway } from '../../model/gateway.ts';
import { type Check, check } from '../check.ts';
import type { DefaultRouteFacts } from '../doctor-facts.ts';
import { unanswered } from '../unanswered.ts';

export function defaultRouteCheck(
  { family: of, configured, present, neighbour }: DefaultRouteFacts,
  { uplink, protocol: own }: Gateway,
): Check {
  const name = of === 6 ? 'default route 6' : 'default route';
  const [first] = present;
  const answers = neighbour === undefined ? 'not asked' : 'answers';
  if (configured === undefined && first === undefined)
    return check(
      name,
      'warn',
      `there is no default route of IPv${of}: replies reach clients on the uplink's network alone`,
      {
        advice: `set defaultRoute in the configuration, or let another program set one`,
      },
    );
  const router = configured ?? first?.via;
  if (unanswered.has(neighbour))
    return check(name, 'FAIL', `the router ${router} does not answer`, {
      advice: `ping -I ${uplink} ${router}; correct defaultRoute, or see to the router`,
    });
  const words =
    configured === undefined ? first && defaultRouteText(first) : `via ${configured} dev ${uplink}`;
  const other = present.find(
    ({ protocol, via, dev }) => protocol !== own && !(via === configured && dev === uplink),
  );
  if (configured !== undefined && other !== undefined)
    return check(
      name,
      'warn',
      `via ${configured} dev ${uplink}, ${answers}; it wins over the present one ${defaultRouteText(other)}`,
      {
        advice: 'leave defaultRoute out where another program sets the right one',
      },
    );
  if (router !== undefined && neighbour === undefined)
    return check(name, '?', `${words}; whether it answers could not be found out`, {
      advice: `ping -c 1 -I ${configured === undefined ? first?.dev : uplink} ${router}`,
    });
  return check(name, 'ok', router === undefined ? `${words}` : `${words}; ${answers}`);
}
