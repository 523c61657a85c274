import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';

import { expect } from 'chai';
import type { StoryResult } from '../../lab/demo/story.ts';
import { outcome, run } from '../../lab/process/run.ts';
import { machine } from './machine.ts';
import { namespaces, Playing, processes, traces } from './playing.ts';
import { needRoot } from './root.ts';
import { until } from './until.ts';

describe('eiproute demo', () => {
  before(async function () {
    needRoot(this);
    // Makes /run/netns, which is iproute2's own and stays.
    await run({ argv: ['ip', '-batch', '-'], input: 'netns add eip-first\nnetns del eip-first\n' });
  });

  it('shows every scene, loses no request where it promises so, and leaves no trace', async () => {
    const before = await machine();
    await using playing = new Playing(['--json']);
    const code = await playing.ended;
    expect(code, playing.err).to.equal(0);
    const result: StoryResult = JSON.parse(playing.out);
    expect(result).to.include({ version: 1, ok: true });
    expect(result.scenes.map(({ id, ok }) => [id, ok])).to.deep.equal([
      ['service-appears', true],
      ['address-given', true],
      ['endpoints-move', true],
      ['node-goes', true],
      ['hand-disturbs', true],
      ['api-stops', true],
      ['daemon-dies', true],
      ['purged', true],
    ]);
    for (const id of ['api-stops', 'daemon-dies']) {
      const { lost, sent } = result.scenes.find((scene) => scene.id === id)?.figures ?? {};
      expect(lost, id).to.equal(0);
      expect(sent, id).to.be.above(50);
    }
    // Nobody looks at a terminal here.
    expect(playing.err).to.not.contain('\u001b');
    expect(playing.id).to.have.length(4);
    expect(traces(playing.id)).to.deep.equal([]);
    expect(await machine()).to.deep.equal(before);
  });

  it('takes everything down when it is interrupted in the middle', async () => {
    const before = await machine();
    await using playing = new Playing([]);
    await playing.printed(/link set node2 down/);
    expect(namespaces(playing.id)).to.not.deep.equal([]);
    playing.signal('SIGINT');
    expect(await playing.ended, playing.err).to.equal(130);
    expect(traces(playing.id)).to.deep.equal([]);
    expect(await machine()).to.deep.equal(before);
  });

  it('says in words what failed and where the logs are', async () => {
    await using playing = new Playing([]);
    await playing.printed(/link set node2 down/);
    const { id } = playing;
    // The daemon dies in this scene, or in the next one when it was faster than we.
    for (const pid of gateways(id)) process.kill(pid, 'SIGKILL');
    expect(await playing.ended, playing.err).to.equal(1);
    expect(playing.out).to.match(/✘ not seen within 30\.00 s: \S/);
    expect(playing.out).to.match(/The daemon of the gateway has ended: exit SIGKILL/);
    expect(playing.out).to.match(/ [34] of 8 scenes as they should be\n$/);
    expect(playing.out).to.match(/scenes? after it (is|are) not played/);
    expect(playing.out).to.match(
      /What the gateway said last:\n\n(.*\n)* +[\d:.]+ {2}info {3}198\.51\.100\.11 /,
    );
    expect(playing.out + playing.err).to.not.match(/[{"]level"/);
    const [, kept = ''] = /The whole logs: (\S+)/.exec(playing.out) ?? [];
    expect(readFileSync(join(kept, 'gateway.log'), 'utf8')).to.match(/^\{"level":/);
    await rm(kept, { recursive: true });
    expect(traces(id)).to.deep.equal([]);
  });

  it('leaves no process behind when it is killed, and the next run removes the rest', async () => {
    const before = await machine();
    await using playing = new Playing([]);
    await playing.printed(/link set node2 down/);
    const { id } = playing;
    expect(processes(id)).to.not.deep.equal([]);
    playing.signal('SIGKILL');
    expect(await playing.ended).to.equal('SIGKILL');
    // The kernel tells its children at once; how long they take to go is their own.
    await until(
      'its processes are gone',
      () => processes(id),
      (left) => left.length === 0,
    );
    expect(namespaces(id)).to.not.deep.equal([]);
    await using next = new Playing(['--clean']);
    expect(await next.ended, next.err).to.equal(0);
    expect(next.out).to.contain(id);
    expect(traces(id)).to.deep.equal([]);
    expect(await machine()).to.deep.equal(before);
  });

  it('stays with --keep, where kubectl can change the cluster, until it is interrupted', async () => {
    await using playing = new Playing(['--keep']);
    await playing.printed(/Ctrl-C takes it down/);
    const [, kubeconfig = ''] = /KUBECONFIG=(\S+)/.exec(playing.out) ?? [];
    const client = `eip-${playing.id}-client`;
    const curl = ['ip', 'netns', 'exec', client, 'curl', '-sS', '-m', '20', 'http://198.51.100.11/'];
    expect(await run({ argv: curl })).to.match(/^shop-\d 192\.0\.2\.1\d\d\n$/);
    const kubectl = await outcome({ argv: ['sh', '-c', 'command -v kubectl'] });
    if (kubectl.status === 0) {
      await run({ argv: ['kubectl', '--kubeconfig', kubeconfig, 'delete', 'service', 'shop'] });
      const gateway = ['ip', '-n', `eip-${playing.id}-gateway`, 'route', 'show', '198.51.100.11'];
      await until(
        'its route is gone',
        () => run({ argv: gateway }),
        (shown) => shown === '',
      );
      expect((await outcome({ argv: curl })).status).to.equal(7);
    }
    playing.signal('SIGINT');
    expect(await playing.ended, playing.out + playing.err).to.equal(0);
    expect(traces(playing.id)).to.deep.equal([]);
  });

  it('plays without root, in a user namespace, or says why it can not', async () => {
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const readable = await outcome({ argv: [...nobody, process.execPath, '--version'] });
    const allowed = await outcome({ argv: [...nobody, 'unshare', '--user', '--map-root-user', 'true'] });
    // Debian's PATH of a user, without /usr/sbin, where nft is.
    await using playing = new Playing(['--json'], ['env', 'PATH=/usr/local/bin:/usr/bin:/bin', ...nobody]);
    const code = await playing.ended;
    if (readable.status !== 0) expect(playing.err, 'the checkout is closed to other users').to.not.equal('');
    else if (allowed.status === 0) {
      expect(code, playing.err).to.equal(0);
      const result: StoryResult = JSON.parse(playing.out);
      expect(result.ok).to.equal(true);
      expect(traces(playing.id)).to.deep.equal([]);
    } else {
      expect(code).to.equal(1);
      expect(playing.err).to.match(/needs root, or user namespaces/);
    }
  });
});

/** The processes of the daemon of the gateway. */
function gateways(id: string): readonly number[] {
  return processes(id)
    .filter((pid) => /\0gateway\0--config\0/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8')))
    .map(Number);
}
