import { RoutedEips } from '../daemon/routed-eips.ts';
import type { Kernel } from '../kernel/kernel.ts';
import { LinuxLookups } from '../kernel/linux-lookups.ts';
import type { Gateway } from '../model/gateway.ts';
import type { Ip } from '../model/ip.ts';
import type { LinkNames } from '../model/iproute.ts';
import { changeObject } from '../model/object.ts';
import type { Problem } from '../model/problem.ts';
import { ShadowedEips } from '../probe/shadowed-eips.ts';
import type { DryRun } from '../reconcile/dry-run.ts';
import type { Role } from '../reconcile/reconciler.ts';

/** Of the EIPs whose route is in the kernel, and stays there: those that another route or a rule takes. */
export interface ShadowedNow {
  readonly count: number;
  readonly problems: readonly Problem[];
}

interface Options {
  readonly kernel: Kernel;
  readonly role: Role;
  readonly gateway: Gateway;
  readonly names: LinkNames;
}

const none: ShadowedNow = { count: 0, problems: [] };

/**
 * Asks as the daemon does: what one answer says is told of once a second dump has shown the route, and a second answer says
 * the same. Where a setting is to be changed the answers would be about another kernel, and none is asked for.
 *
 * @throws KernelError when the kernel cannot be read
 */
export async function shadowedNow(seen: DryRun, options: Options, signal: AbortSignal): Promise<ShadowedNow> {
  const { kernel, role, gateway, names } = options;
  if (seen.due.some((change) => changeObject(change).kind === 'sysctl')) return none;
  await using port = new LinuxLookups();
  const end = new AbortController();
  let { have } = seen;
  let looked = Promise.withResolvers<void>();
  let isDoubted = false;
  const routed = new RoutedEips({ gateway: () => gateway, actual: () => have });
  const stays = new Set<Ip>();
  const wanted = role.desire.table;
  for (const eip of routed.walk())
    if (eip !== undefined && wanted.get(routed.keyOf(eip)) !== undefined) stays.add(eip);
  const shadowed = new ShadowedEips({
    port,
    gateway: () => gateway,
    links: () => have.links,
    names,
    routed: () => stays,
    isRouted: (eip) => stays.has(eip) && routed.has(eip),
    doubted: () => {
      isDoubted = true;
    },
    changed: () => {},
    looked: () => looked.resolve(),
    mostInPass: Number.POSITIVE_INFINITY,
  });
  const running = shadowed.run(AbortSignal.any([signal, end.signal]));
  const look = async (): Promise<void> => {
    looked = Promise.withResolvers();
    shadowed.rounded({ dumped: true, isDue: true });
    await Promise.race([looked.promise, running]);
  };
  try {
    await look();
    if (isDoubted) {
      have = await kernel.list(role.scope, signal);
      await look();
    }
  } finally {
    end.abort();
    await running;
  }
  return { count: shadowed.count, problems: shadowed.problems };
}
