import type { GatewayConfig } from '../config/config.ts';
import { isNat } from '../desire/nat-mode.ts';
import { paths } from '../desire/paths.ts';
import { poolFinder } from '../desire/pools.ts';
import type { ServicePort, Snapshot } from '../model/cluster.ts';
import { families, family, type Ip } from '../model/ip.ts';
import { addressOn } from '../model/link-address.ts';
import type { Link } from '../model/object.ts';
import { connect, connectBy } from './connection.ts';
import type { AgentFacts } from './doctor-facts.ts';

/** One EIP of each pool and family: a connection from the LAN, and one whose reply takes the way of clients. */
export function askAgents(
  cluster: Snapshot | undefined,
  { gateway }: GatewayConfig,
  links: readonly Link[],
  signal: AbortSignal,
): Promise<readonly AgentFacts[]> {
  const found = cluster === undefined ? [] : paths(cluster, gateway).paths;
  const services = new Map(cluster?.services.map((service) => [service.key, service]));
  const poolOf = poolFinder(gateway.pools);
  const tcpPort = (names: readonly string[]): ServicePort | undefined =>
    names.flatMap((name) => services.get(name)?.ports ?? []).find(({ protocol }) => protocol === 'TCP');
  const asked = gateway.pools.flatMap((pool) =>
    families
      .filter((of) => pool.addresses.some((prefix) => family(prefix) === of))
      .map(async (of): Promise<AgentFacts> => {
        const about = { pool: pool.name, family: of };
        const path = found.find(
          (one) => family(one.eip) === of && poolOf(one.eip) === pool && tcpPort(one.services) !== undefined,
        );
        const { port, nodePort } = tcpPort(path?.services ?? []) ?? {};
        if (path === undefined || port === undefined)
          return { ...about, asked: { kind: 'not asked', why: 'no EIP of it with a TCP port is served' } };
        const uplink = addressOn(gateway.uplink, of, links);
        if (uplink === undefined)
          return {
            ...about,
            asked: { kind: 'not asked', why: `${gateway.uplink} has no IPv${of} address to ask from` },
          };
        const [carrier] = path.carriers;
        const node =
          isNat(gateway, pool) && carrier !== undefined && nodePort !== undefined
            ? { to: carrier.ip, port: nodePort }
            : undefined;
        const [fromLan, fromUplink] = await Promise.all([
          connect(path.eip, port, addressOn(gateway.lan, of, links), signal),
          node === undefined
            ? connect(path.eip, port, uplink, signal)
            : connectBy({ ...node, from: uplink, device: gateway.lan }, signal),
        ]);
        const at = (ip: Ip, number: number): string => (of === 4 ? `${ip}:${number}` : `[${ip}]:${number}`);
        const to = at(path.eip, port);
        return {
          ...about,
          asked: {
            kind: 'asked',
            to,
            fromLan,
            fromUplink,
            ...(node === undefined ? {} : { node: at(node.to, node.port) }),
          },
        };
      }),
  );
  return Promise.all(asked);
}
