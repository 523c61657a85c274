import { requestAnnotations, type Service } from './cluster.ts';

/** The properties that decide whether two Services may share an address. */
export interface Sharing {
  /** undefined: there is one, without a name */
  readonly cluster: string | undefined;
  /** undefined: shares with no other Service */
  readonly key: string | undefined;
  /** Under Local the selector, since the traffic goes only to nodes with endpoints; empty under Cluster. */
  readonly backend: string;
  /** `TCP/80` */
  readonly ports: readonly string[];
}

export function sharingOf(service: Service): Sharing {
  const [own, alias] = requestAnnotations.sharingKey;
  const { annotations } = service.request;
  return {
    cluster: service.cluster,
    key: annotations[own] || annotations[alias] || undefined,
    backend: service.externalTrafficPolicy === 'Local' ? selectorText(service) : '',
    ports: service.ports.map(({ protocol, port }) => `${protocol}/${port}`),
  };
}

function selectorText({ request: { selector } }: Service): string {
  return Object.entries(selector)
    .map(([label, value]) => `${label}=${value}`)
    .join(',');
}

/** Why two Services cannot share an address, as the end of a sentence; undefined: they can. */
export function cannotShare(a: Sharing, b: Sharing): string | undefined {
  if (a.cluster !== b.cluster) return 'they are in different clusters';
  if (a.key === undefined || b.key === undefined) return 'they do not both have a sharing key';
  if (a.key !== b.key) return 'their sharing keys differ';
  if (a.backend !== b.backend) return 'under externalTrafficPolicy Local they must have the same selector';
  const port = commonPort(a.ports, b.ports);
  return port === undefined ? undefined : `both have port ${port}`;
}

/** A Service has one port or two, and may have tens of thousands. */
function commonPort(some: readonly string[], others: readonly string[]): string | undefined {
  if (some.length <= 2 || others.length <= 2) return some.find((port) => others.includes(port));
  const known = new Set(others);
  return some.find((port) => known.has(port));
}
