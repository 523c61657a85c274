import { expect } from 'chai';
import { program } from '../../lab/eiproute/daemon-process.ts';
import { outcome } from '../../lab/process/run.ts';
import { needRoot } from './root.ts';

const example = '# Edit me\n#\n# lan: eth0\n';
const gateway = 'lan: eth0\nuplink: eth1\npools: [{ name: public, addresses: [198.51.100.0/24] }]\n';
const node = 'eips: [198.51.100.0/24]\ngateways: [10.0.0.1]\n';

describe('a command without --config', () => {
  before(function () {
    needRoot(this);
  });

  const cases: readonly (readonly [what: string, files: Readonly<Record<string, string>>, said: RegExp])[] = [
    ["takes the node's file where it alone is there", { node }, /^gateways:/m],
    ["takes it where the gateway's is as the package laid it", { gateway: example, node }, /^gateways:/m],
    ["takes the gateway's where both are written", { gateway, node }, /^lan: eth0/m],
    [
      "takes the gateway's where the node's is as the package laid it",
      { gateway, node: example },
      /^lan: eth0/m,
    ],
    [
      "asks for the gateway's where none is written",
      { gateway: example, node: example },
      /gateway\.yaml.* lan: is missing/,
    ],
    ["asks for the gateway's where it is gone", { node: example }, /gateway\.yaml: cannot be read/],
  ];
  for (const [what, files, said] of cases) {
    it(what, async () => {
      const writes = Object.entries(files).map(
        ([role, text]) => `cat >/etc/eiproute/${role}.yaml <<'END'\n${text}END\n`,
      );
      const script = `mount -t tmpfs none /etc && mkdir /etc/eiproute\n${writes.join('')}exec ${program} config print`;
      const { out, err } = await outcome({ argv: ['unshare', '--mount', 'sh', '-c', script] });
      expect(out + err).to.match(said);
    });
  }
});
