import { type Check, check } from '../check.ts';
import type { ApiFacts, DoctorFacts } from '../doctor-facts.ts';
import { credentialsCheck } from './credentials.ts';
import { lasts, urgency } from './ends.ts';
import { rightsCheck } from './rights.ts';
import { timeCheck } from './time.ts';

export function apiChecks({ apis, now }: DoctorFacts): readonly Check[] {
  if (apis.length === 0) {
    const file = 'the cluster is read from a file';
    return ['API', 'credentials', 'rights', 'time'].map((name) => check(name, '-', file));
  }
  return apis.flatMap((api) => {
    const checks = [apiCheck(api, now), credentialsCheck(api, now), rightsCheck(api), timeCheck(api)];
    const { cluster } = api;
    return cluster === undefined ? checks : checks.map((one) => ({ ...one, name: `${one.name} ${cluster}` }));
  });
}

function apiCheck({ server, trouble, version, latency, certificateEnds }: ApiFacts, now: number): Check {
  if (trouble !== undefined) {
    const [finding = '', ...advice] = trouble.split('; ');
    return check('API', 'FAIL', finding, { advice: advice.join('; ') || undefined });
  }
  const words = [server, version, latency === undefined ? undefined : `${latency} ms`];
  const end = certificateEnds === undefined ? undefined : `certificate ${lasts(certificateEnds, now)}`;
  const state = certificateEnds === undefined ? 'ok' : urgency(certificateEnds, now);
  return check('API', state, [...words, end].filter((word) => word !== undefined).join(', '), {
    advice:
      state === 'ok' ? undefined : 'renew the certificate of the API server (kubeadm certs renew apiserver)',
  });
}
