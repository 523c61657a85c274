import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';

const abilityWords: Readonly<Record<string, string>> = {
  nexthop: 'nexthop objects',
  group: 'nexthop groups',
  resilient: 'resilient groups',
  ipv6: 'IPv6',
  nft: 'nf_tables',
};

export function kernelCheck({ kernel, lacks, abilities }: DoctorFacts): Check {
  const old = lacks.find(({ code }) => code === 'kernel-too-old');
  if (old !== undefined) return check('kernel', 'FAIL', old.message, { advice: old.advice });
  if (abilities.kind === 'not asked')
    return check('kernel', '?', `Linux ${kernel}; what it can do was not tried: ${abilities.why}`, {
      advice: 'run it as root',
    });
  const words = (names: readonly string[]): string =>
    names.map((name) => abilityWords[name] ?? name).join(', ');
  const lacking = abilities.wanted.filter((name) => !abilities.able.has(name));
  if (lacking.length === 0) return check('kernel', 'ok', `Linux ${kernel}: ${words(abilities.wanted)}`);
  const isFatal = lacking.some((name) => name !== 'nft');
  return check('kernel', isFatal ? 'FAIL' : 'warn', `Linux ${kernel} lacks ${words(lacking)}`, {
    advice: lacking.includes('nft')
      ? 'install nftables (apt-get install nftables); the module nf_tables must be there'
      : 'boot a kernel that has it, or take what needs it out of the configuration',
  });
}
