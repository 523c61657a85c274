import type { Gateway } from '../../model/gateway.ts';
import { isWithin, networkOf } from '../../model/ip.ts';
import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';

/** Whether hosts of the segment can come to ask for the EIPs; none without layer 2. */
export function layer2Checks({ links }: DoctorFacts, { announce, pools }: Gateway): readonly Check[] {
  const segment = announce?.segment;
  if (segment === undefined) return [];
  const name = 'layer 2';
  if (links === undefined) return [check(name, '?', 'the kernel cannot be read')];
  const link = links.find((one) => one.name === segment);
  if (link === undefined || !link.up || !link.carrier)
    return [
      check(
        name,
        'FAIL',
        `${segment} ${link === undefined ? 'does not exist' : link.up ? 'has no carrier' : 'is down'}`,
        {
          advice: 'correct layer2.interface, or see to the interface: ip link',
        },
      ),
    ];
  const onLink = link.addresses.map(({ ip, length }) => networkOf(ip, length));
  const own = pools.filter((pool) => pool.announce === 'layer2').flatMap(({ addresses }) => addresses);
  const far = own.filter((network) => !onLink.some((one) => isWithin(network, one)));
  if (far.length === 0)
    return [check(name, 'ok', `answers on ${segment}, where ${own.join(', ')} is on-link`)];
  return [
    check(
      name,
      'warn',
      `${far.join(', ')} is in no network of ${segment}: a host asks for an EIP by ARP or NDP only where the EIP is on-link for it`,
      {
        advice: `take addresses of the segment, or give the hosts and the router a route: ip route add ${far[0]} dev their-interface`,
      },
    ),
  ];
}
