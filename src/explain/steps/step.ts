import { elsewhereWords } from '../../daemon/namespace.ts';
import { nameInside } from '../../model/cluster.ts';
import type { ServiceView } from '../../status/path-view.ts';
import type { CheckState } from '../check.ts';
import type { KernelFacts, TraceFacts } from '../trace-facts.ts';

/** One station of a packet's way. */
export interface Step {
  readonly name: StepName;
  readonly state: CheckState;
  readonly finding: string;
  /** Further findings, one per line. */
  readonly more: readonly string[];
  /** Why it is broken, in a sentence; undefined: it is not. */
  readonly why: string | undefined;
  /** What to do: a command, or words. */
  readonly advice: string | undefined;
}

export type StepName =
  | 'daemon'
  | 'pool'
  | 'service'
  | 'carriers'
  | 'route'
  | 'layer 2'
  | 'nat'
  | 'forwarding'
  | 'neighbours'
  | 'return path'
  | 'probe';

export type Rest = Partial<Pick<Step, 'more' | 'why' | 'advice'>>;

export function step(name: StepName, state: CheckState, finding: string, rest: Rest = {}): Step {
  return { name, state, finding, more: rest.more ?? [], why: rest.why, advice: rest.advice };
}

/** A step that looks at the kernel, when it was not asked. */
export function unseen(name: StepName, { elsewhere }: TraceFacts): Step {
  if (elsewhere === undefined) return untold(name);
  return step(
    name,
    '?',
    'not looked at: the daemon is in another network namespace',
    elsewhereWords(elsewhere),
  );
}

export function untold(name: StepName): Step {
  return step(name, '-', 'there is no address to look at');
}

/** The Services that hold the address. */
export function holdersOf({ view }: TraceFacts): readonly ServiceView[] {
  return view?.services.filter(({ holds }) => holds) ?? [];
}

/** `TCP 80` */
export function portsOf({ ports }: ServiceView): readonly string[] {
  return ports.map(({ protocol, port }) => `${protocol} ${port}`);
}

/** `-n default web` */
export function kubectlName(name = '', option = ''): string {
  const [namespace, short] = nameInside(name).split('/');
  return `-n ${namespace} ${option}${short}`;
}

export function deadInterface({ links }: KernelFacts, name: string): string | undefined {
  const link = links.find((one) => one.name === name);
  if (link === undefined) return `interface ${name} does not exist`;
  if (!link.up) return `interface ${name} is down`;
  return link.carrier ? undefined : `interface ${name} has no carrier`;
}
