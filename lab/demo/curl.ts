import type { Network } from '../network/network.ts';
import type { Page } from './page.ts';

/** Runs curl at the client and shows it. */
export async function curl(network: Network, page: Page, ip: string, signal: AbortSignal): Promise<void> {
  const words = ip.includes(':') ? ['curl', '-g', `http://[${ip}]/`] : ['curl', `http://${ip}/`];
  const said = await network.run('client', { argv: [...words, '-sS', '-m', '3'] }, signal);
  const [pod, seen] = said.trim().split(' ');
  page.command('client', words.join(' '));
  page.said('', `answered by ${pod}, which saw ${seen}`);
}
