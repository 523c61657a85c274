import type { Attempt, KernelFacts, ProbeFacts, TraceFacts } from '../trace-facts.ts';
import { type Rest, type Step, step, untold } from './step.ts';

export function probeStep({ probe, view, kernel }: TraceFacts): Step {
  if (view?.eip === undefined) return untold('probe');
  if (probe === undefined) return step('probe', '-', 'not asked: eiproute trace --probe opens a connection');
  if (probe.kind === 'not asked') return step('probe', '?', probe.why, { why: probe.why });
  const { fromLan, port, nodes } = probe;
  const more = nodes.map(({ node, to, attempt }) => `${node} ${to} (nodePort) ${attemptText(attempt)}`);
  const finding = `${view.eip} port ${port} ${attemptText(fromLan)}`;
  if (fromLan.kind === 'connected') return step('probe', 'ok', finding, { more });
  return step('probe', 'FAIL', finding, { more, ...failedProbe(fromLan.code, probe, kernel) });
}

function attemptText(attempt: Attempt): string {
  return attempt.kind === 'connected' ? `connected in ${attempt.ms} ms` : `failed: ${attempt.code}`;
}

function failedProbe(code: string, { port }: ProbeFacts, kernel: KernelFacts | undefined): Rest {
  const to = kernel?.vias?.join(', ') ?? 'the nodes';
  if (code === 'ECONNREFUSED')
    return {
      why: `a node refuses the connection to port ${port}: kube-proxy has no rule for it there, or the pod does not listen`,
      advice: `on ${to}: nft list ruleset, or iptables-save; kubectl logs -n kube-system -l k8s-app=kube-proxy`,
    };
  return {
    why: `no answer to a connection to port ${port} (${code}): it is lost on the way to ${to}, or on the node`,
    advice: `tcpdump -ni any port ${port} here, and then on ${to}`,
  };
}
