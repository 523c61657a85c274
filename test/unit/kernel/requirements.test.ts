import { expect } from 'chai';
import { type Host, missing, readHost } from '../../../src/kernel/requirements.ts';

describe('requirements', () => {
  const status = (capabilities: string) =>
    `Name:\tnode\nCapPrm:\t0000000000000000\nCapEff:\t${capabilities}\n`;
  const all = status('000001ffffffffff');
  const cases: readonly { name: string; host: Host; want: readonly string[] }[] = [
    { name: 'are met by 5.10', host: { release: '5.10.0-28-amd64', status: all }, want: [] },
    { name: 'are met by 6.1', host: { release: '6.1.0', status: all }, want: [] },
    { name: 'are met by 10.0', host: { release: '10.0', status: all }, want: [] },
    { name: 'refuse 5.9', host: { release: '5.9.16', status: all }, want: ['kernel-too-old'] },
    { name: 'refuse 4.19', host: { release: '4.19.0', status: all }, want: ['kernel-too-old'] },
    { name: 'refuse what is no version', host: { release: 'six', status: all }, want: ['kernel-too-old'] },
    { name: 'are met by CAP_NET_ADMIN alone', host: { release: '6.1.0', status: status('1000') }, want: [] },
    {
      name: 'refuse every capability but CAP_NET_ADMIN',
      host: { release: '6.1.0', status: status('000001ffffffefff') },
      want: ['no-cap-net-admin'],
    },
    {
      name: 'refuse a status without capabilities',
      host: { release: '6.1.0', status: '' },
      want: ['no-cap-net-admin'],
    },
    {
      name: 'name both',
      host: { release: '3.10.0', status: status('0') },
      want: ['kernel-too-old', 'no-cap-net-admin'],
    },
  ];
  for (const { name, host, want } of cases) {
    it(name, () => {
      expect(missing(host).map(({ code }) => code)).to.deep.equal(want);
    });
  }

  it('say which kernel there is and which is needed', () => {
    const [problem] = missing({ release: '4.19.0-26-amd64', status: all });
    expect(problem).to.include({ subject: 'Linux 4.19.0-26-amd64' });
    expect(problem?.message).to.include('4.19').and.to.include('5.10');
  });

  it('are read from this host', async () => {
    const host = await readHost();
    expect(host.release).to.match(/^\d+\.\d+/);
    expect(host.status).to.match(/^CapEff:/m);
  });
});
