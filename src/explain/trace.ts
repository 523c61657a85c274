import type { Ip } from '../model/ip.ts';
import { carriersStep } from './steps/carriers.ts';
import { daemonStep } from './steps/daemon.ts';
import { forwardingStep } from './steps/forwarding.ts';
import { layer2Step } from './steps/layer2.ts';
import { isNatTraced, natStep } from './steps/nat.ts';
import { neighboursStep } from './steps/neighbours.ts';
import { poolStep } from './steps/pool.ts';
import { probeStep } from './steps/probe.ts';
import { returnStep } from './steps/return-path.ts';
import { routeStep } from './steps/route.ts';
import { serviceStep } from './steps/service.ts';
import { holdersOf, portsOf, type Step, type StepName, unseen } from './steps/step.ts';
import type { KernelFacts, TraceFacts } from './trace-facts.ts';

export type Verdict = 'works' | 'broken' | 'not known';

/** Why an address works or does not: `eiproute trace --json` prints it. */
export interface Trace {
  readonly asked: string;
  readonly eip: Ip | undefined;
  readonly services: readonly string[];
  /** `TCP 80` */
  readonly ports: readonly string[];
  readonly verdict: Verdict;
  /** The number of the first broken step, from 1. */
  readonly brokenAt: number | undefined;
  readonly steps: readonly Step[];
  /** Of the first broken step, else of the first that is not known. */
  readonly why: string | undefined;
  readonly advice: string | undefined;
}

/** In the order of a packet's way. The last two are the connections that prove all before them. */
const way: readonly ((facts: TraceFacts) => Step | undefined)[] = [
  daemonStep,
  poolStep,
  serviceStep,
  carriersStep,
  ofKernel('route', routeStep),
  layer2Step,
  (facts) => (isNatTraced(facts) ? ofKernel('nat', natStep)(facts) : undefined),
  ofKernel('forwarding', forwardingStep),
  ofKernel('neighbours', neighboursStep),
  fromHere('return path', returnStep),
  fromHere('probe', probeStep),
];

/** The steps of a packet to an EIP, from facts alone. */
export function trace(facts: TraceFacts): Trace {
  const { view, asked } = facts;
  const holders = holdersOf(facts);
  const steps = way.map((step) => step(facts)).filter((found) => found !== undefined);
  const broken = steps.findIndex(({ state }) => state === 'FAIL');
  const first = broken >= 0 ? steps[broken] : steps.find(({ state }) => state === '?');
  const isProven = steps.slice(-2).every(({ state }) => state === 'ok');
  const verdict = broken >= 0 ? 'broken' : first === undefined || isProven ? 'works' : 'not known';
  return {
    asked,
    eip: view?.eip,
    services: holders.map(({ name }) => name),
    ports: [...new Set(holders.flatMap(portsOf))],
    verdict,
    brokenAt: broken >= 0 ? broken + 1 : undefined,
    steps,
    why: verdict === 'works' ? undefined : first?.why,
    advice: verdict === 'works' ? undefined : first?.advice,
  };
}

/** A step that looks at the kernel, where there is something to look up. */
function ofKernel(name: StepName, step: (facts: TraceFacts, kernel: KernelFacts) => Step) {
  return (facts: TraceFacts): Step =>
    facts.kernel === undefined ? unseen(name, facts) : step(facts, facts.kernel);
}

/** A step that sends packets, which go the daemon's way only where the daemon is. */
function fromHere(name: StepName, step: (facts: TraceFacts) => Step) {
  return (facts: TraceFacts): Step => (facts.elsewhere === undefined ? step(facts) : unseen(name, facts));
}
