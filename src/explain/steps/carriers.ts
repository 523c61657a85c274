import { some } from '../../status/need.ts';
import type { CarrierView, LeftOut } from '../../status/path-view.ts';
import { span } from '../../status/state.ts';
import type { TraceFacts } from '../trace-facts.ts';
import { type Step, step, untold } from './step.ts';

export function carriersStep({ now, view, source }: TraceFacts): Step {
  if (source.kind === 'nothing')
    return step('carriers', '?', 'not known: nothing is known of the cluster', { why: source.why });
  if (view?.eip === undefined) return untold('carriers');
  const left = [...Map.groupBy(view.leftOut, (one) => leftOutText(one, now))].map(
    ([why, all]) => `${some(all.map(({ node }) => node))}: ${why}`,
  );
  const words = left.length === 0 ? '' : ` (left out: ${left.join('; ')})`;
  if (view.carriers.length > 0)
    return step('carriers', 'ok', `${some(view.carriers.map(carrierText))}${words}`);
  if (!view.services.some(({ holds }) => holds)) return step('carriers', '-', 'no Service holds the address');
  const known = view.problems.find(({ code }) => code === 'eip-no-node');
  if (known !== undefined)
    return step('carriers', 'FAIL', `no node can carry it${words}`, {
      why: known.message,
      advice: known.advice,
    });
  return step('carriers', 'FAIL', `no node can carry it${words}`, {
    why: left.length === 0 ? 'the cluster has no node' : `no node can carry it: ${left.join('; ')}`,
    advice: 'kubectl get nodes -o wide; kubectl get endpointslices -A -o wide',
  });
}

function leftOutText({ why, until }: LeftOut, now: number): string {
  return until === undefined ? why : `${why}, for ${span(Date.parse(until) - now)} more at most`;
}

function carrierText({ node, standing }: CarrierView): string {
  return standing === undefined || standing === 'silent' ? node : `${node} (${standing})`;
}
