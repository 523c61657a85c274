import type { TraceFacts } from '../trace-facts.ts';
import { type Step, step, untold } from './step.ts';

export function poolStep({ view, gateway, source }: TraceFacts): Step {
  if (view?.eip === undefined) return untold('pool');
  const { pool, eip, services } = view;
  if (pool !== undefined) return step('pool', 'ok', `${pool.name} (${pool.networks.join(', ')})`);
  if (services.some(({ holds }) => holds))
    return step('pool', 'warn', `${eip} is in no pool any more; its Service keeps it`);
  const pools = gateway.pools.map(({ name, addresses }) => `${name} (${addresses.join(', ')})`);
  return step('pool', 'FAIL', `${eip} is in none of the pools: ${pools.join(', ')}`, {
    why: `eiproute routes addresses of its pools alone, and ${eip} is in none of them${services.length > 0 || source.kind === 'nothing' ? '' : '; no Service asks for it either'}`,
    advice: 'add its network to pools in the configuration, or give the Service an address of a pool',
  });
}
