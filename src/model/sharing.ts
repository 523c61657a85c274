import { askingAnnotations, type Service } from './cluster.ts';

/** What decides who may be together on one address. */
export interface Sharing {
  /** undefined: with nobody */
  readonly key: string | undefined;
  /** The backends that an address leads to: under Local its selector, for the traffic goes just where they are. */
  readonly backend: string;
  /** `TCP/80` */
  readonly ports: readonly string[];
}

export function sharingOf(service: Service): Sharing {
  const [own, alias] = askingAnnotations.sharingKey;
  const { annotations } = service.asks;
  return {
    key: annotations[own] || annotations[alias] || undefined,
    backend: service.externalTrafficPolicy === 'Local' ? selectorText(service) : '',
    ports: service.ports.map(({ protocol, port }) => `${protocol}/${port}`),
  };
}

function selectorText({ asks: { selector } }: Service): string {
  return Object.entries(selector)
    .map(([label, value]) => `${label}=${value}`)
    .join(',');
}

/** Why two cannot be on one address, as the end of a sentence; undefined: they can. */
export function cannotShare(a: Sharing, b: Sharing): string | undefined {
  if (a.key === undefined || b.key === undefined) return 'they do not both have a sharing key';
  if (a.key !== b.key) return 'their sharing keys differ';
  if (a.backend !== b.backend) return 'under externalTrafficPolicy Local they must have the same selector';
  const port = a.ports.find((one) => b.ports.includes(one));
  return port === undefined ? undefined : `both have port ${port}`;
}
