import { iso, span } from '../../status/state.ts';
import type { TraceFacts } from '../trace-facts.ts';
import { type Step, step } from './step.ts';

export function daemonStep({ source, now }: TraceFacts): Step {
  const start = 'systemctl status eiproute-gateway';
  switch (source.kind) {
    case 'daemon': {
      const finding = `${source.state}: ${source.summary}`;
      if (source.state === 'OK' || source.state === 'DEGRADED') return step('daemon', 'ok', finding);
      return step('daemon', '?', finding, {
        why: `what the gateway knows of the cluster may be old: ${source.summary}`,
        advice: 'eiproute status',
      });
    }
    case 'saved':
      return step('daemon', '?', `does not answer; the last known state is ${span(now - source.at)} old`, {
        why: `${source.why}; pool, service and carriers are as of ${iso(source.at)}`,
        advice: start,
      });
    case 'nothing':
      return step('daemon', '?', 'does not answer, and no state of the cluster was saved', {
        why: source.why,
        advice: start,
      });
    default:
      return source satisfies never;
  }
}
