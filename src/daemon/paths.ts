import type { Hosts } from '../model/host.ts';
import type { Ip } from '../model/ip.ts';
import type { PathsAnswer, PathView } from '../status/path-view.ts';
import { type Health, iso, summaryOf } from '../status/state.ts';

/** The answer to `/paths`: the material of `eiproute trace`. */
export function pathsAnswer(health: Health, views: readonly PathView[], hosts: Hosts): string {
  const eips = new Set(views.map(({ eip }) => eip));
  const services = new Set(views.flatMap((view) => view.services.map(({ name }) => name)));
  const silentSince: Record<Ip, string> = {};
  for (const [ip, host] of hosts) if (host.silentSince !== undefined) silentSince[ip] = iso(host.silentSince);
  const answer: PathsAnswer = {
    ...summaryOf(health),
    views,
    needs: health
      .needs()
      .filter(({ eip, where }) => (eip !== undefined && eips.has(eip)) || services.has(where ?? '')),
    silentSince,
  };
  return JSON.stringify(answer);
}
