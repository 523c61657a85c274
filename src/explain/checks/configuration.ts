import { counted } from '../../status/state.ts';
import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';

export function configurationCheck({ configuration }: DoctorFacts): Check {
  const name = 'configuration';
  if (configuration.kind === 'refused') {
    const [first = '', ...more] = configuration.errors;
    return check(name, 'FAIL', first, {
      more,
      advice: `correct ${configuration.file}; eiproute config check tells when it is good`,
    });
  }
  const { file, warnings } = configuration;
  const state = warnings.length > 0 ? 'warn' : 'ok';
  if (configuration.kind === 'node')
    return check(
      name,
      state,
      `${file}, networks ${configuration.agent.eips.join(', ') || 'by a ConfigMap'}`,
      {
        more: warnings,
      },
    );
  const { gateway, addresses } = configuration;
  const much =
    addresses < 2 ** 32
      ? counted(addresses, 'address').replace('addresss', 'addresses')
      : 'more addresses than one counts';
  return check(name, state, `${file}, ${counted(gateway.pools.length, 'pool')}, ${much}`, { more: warnings });
}
