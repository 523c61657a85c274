import { type Check, check } from '../check.ts';
import type { DoctorFacts } from '../doctor-facts.ts';

export function managersCheck({ managers }: DoctorFacts, ours: readonly string[]): Check {
  const { running, networkd, networkManager } = managers;
  const name = 'foreign';
  const told: string[] = [];
  const advice: string[] = [];
  if (running.includes('systemd-networkd')) {
    const lacking = [
      'ManageForeignRoutes',
      'ManageForeignRoutingPolicyRules',
      'ManageForeignNextHops',
    ].filter((key) => !/^(no|false|0|off|n|f)$/i.test(networkd.get(key) ?? ''));
    if (lacking.length > 0) {
      told.push(`systemd-networkd deletes what it has not made: ${lacking.join(', ')} not set to no`);
      advice.push(
        `write "[Network]" and ${lacking.map((key) => `"${key}=no"`).join(', ')}, a line each, into /etc/systemd/networkd.conf.d/99-eiproute.conf, then systemctl try-restart systemd-networkd`,
      );
    }
  }
  const managed = networkManager.filter((link) => ours.includes(link));
  if (managed.length > 0) {
    told.push(
      `NetworkManager manages ${managed.join(', ')}: it may take routes away when it applies a profile`,
    );
    advice.push(managed.map((link) => `nmcli device set ${link} managed no`).join('; '));
  }
  const others =
    running.length === 0 ? 'no other program that manages routes runs' : `${running.join(', ')} runs`;
  if (told.length === 0) return check(name, 'ok', others);
  return check(name, 'warn', told.join('; '), { advice: advice.join('; ') });
}
