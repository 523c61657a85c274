import type { RoleName } from '../config/config.ts';
import { ask } from '../daemon/ask.ts';
import { DaemonError } from '../daemon/daemon-error.ts';
import { elsewhere } from '../daemon/namespace.ts';
import type { AnyStatus } from '../status/status.ts';
import type { DaemonFacts } from './doctor-facts.ts';

/** What the daemon of this host says of itself, or why it says nothing. */
export async function askDaemon(
  runtimeDirectory: string,
  role: RoleName,
  signal: AbortSignal,
): Promise<DaemonFacts> {
  try {
    const status: AnyStatus = JSON.parse(await ask(runtimeDirectory, role, 'GET', '/status', signal));
    const { state, summary, release } = status;
    const about = {
      kind: 'runs',
      state,
      summary,
      release,
      elsewhere: await elsewhere(runtimeDirectory, role, signal),
    } as const;
    if (status.role === 'node') return about;
    const carriers = status.nodes.filter(({ addresses }) => addresses.length > 0);
    const told = carriers.filter(({ agent }) => agent !== undefined).length;
    const problems = status.problems.filter(({ code }) => code.startsWith('agent-lacks-'));
    return { ...about, agents: { told, nodes: carriers.length, problems } };
  } catch (error) {
    if (error instanceof DaemonError) return { kind: 'silent', why: error.message };
    throw error;
  }
}
