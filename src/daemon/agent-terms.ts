import { isDeepStrictEqual } from 'node:util';
import type { Gateway } from '../model/gateway.ts';
import { families, family, type Ip } from '../model/ip.ts';
import type { Link } from '../model/object.ts';
import { noGateway } from '../model/special-use.ts';
import type { AgentTerms } from '../status/agents.ts';

/** What the agents have to serve; the same object as long as nothing in it changes. */
export class CurrentAgentTerms {
  #links: readonly Link[] | undefined;
  #gateway: Gateway | undefined;
  #terms: AgentTerms = { pools: [], lan: [], published: [] };

  /** @param named addresses of this gateway on the LAN, by its configuration */
  of(links: readonly Link[], gateway: Gateway, named: readonly Ip[]): AgentTerms {
    if (links === this.#links && gateway === this.#gateway) return this.#terms;
    this.#links = links;
    this.#gateway = gateway;
    const published = lanAddresses(links, gateway.lan, named, this.#terms.published);
    const own = links.find(({ name }) => name === gateway.lan)?.addresses ?? [];
    const lan = [...new Set([...published, ...own.map(({ ip }) => ip)])];
    const next = { pools: gateway.pools, lan, published };
    if (!isDeepStrictEqual(next, this.#terms)) this.#terms = next;
    return this.#terms;
  }
}

/**
 * The addresses of a gateway on the nodes' LAN, one of each family. A family whose address is gone for the moment keeps
 * the former one: a cable that is out must not take the gateway from the agents.
 *
 * @param named in the configuration
 */
export function lanAddresses(
  links: readonly Link[],
  lan: string,
  named: readonly Ip[],
  former: readonly Ip[],
): readonly Ip[] {
  if (named.length > 0) return named;
  const addresses = links.find(({ name }) => name === lan)?.addresses ?? [];
  const isHost = (ip: Ip, length: number): boolean => length === (family(ip) === 4 ? 32 : 128);
  return families.flatMap((of) => {
    // An address that moves between gateways is often one without a network.
    const own = addresses.filter(
      ({ ip, length }) => family(ip) === of && !isHost(ip, length) && noGateway(ip) === undefined,
    );
    const best = own.find(({ ip }) => !ip.startsWith('fe80:')) ?? own[0];
    return best?.ip ?? former.find((ip) => family(ip) === of) ?? [];
  });
}
