import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { unedited } from '../../../package/unedited.ts';
import { problemLine } from '../../../src/config/config-problem.ts';
import { readGatewayConfig } from '../../../src/config/load.ts';
import { readNodeConfig } from '../../../src/config/load-node.ts';

function example(name: string): string {
  return readFileSync(new URL(`../../../docs/${name}.example.yaml`, import.meta.url), 'utf8');
}

const request = { file: '/etc/eiproute/x.yaml', env: {}, flags: [], cwd: '/' };

describe('a configuration that nobody has edited', () => {
  it('of a gateway is refused, and says which keys it needs', () => {
    const result = readGatewayConfig(Buffer.from(unedited(example('gateway'))), request);
    expect(result.kind === 'refused' ? result.errors.map(problemLine) : 'taken').to.deep.equal([
      '/etc/eiproute/x.yaml:1:1 lan: is missing: the interface towards the nodes',
      '/etc/eiproute/x.yaml:1:1 pools: is missing: the addresses that may be routed',
      '/etc/eiproute/x.yaml:1:1 uplink: is missing: the interface towards the world',
    ]);
  });

  it('of a node is refused, and says which keys it needs', () => {
    const result = readNodeConfig(Buffer.from(unedited(example('node'))), request);
    expect(result.kind === 'refused' ? result.errors.map(problemLine) : 'taken').to.deep.equal([
      '/etc/eiproute/x.yaml:1:1 eips: is missing: the networks that hold EIPs',
      '/etc/eiproute/x.yaml:1:1 gateways: is missing: the addresses of the gateways on the LAN',
    ]);
  });

  it('says at its head that it has to be edited, and what refuses it until then', () => {
    for (const name of ['gateway', 'node'])
      expect(unedited(example(name))).to.match(/^# Edit me: [^\n]*"eiproute config check" refuses this file/);
  });

  it('is the example once the "#" is taken away', () => {
    const text = example('gateway');
    const plain = unedited(text).replace(/^# (?=(lan|uplink|kubeconfig|defaultRoute|pools): ?)/gm, '');
    const lines = text
      .split('\n')
      .filter((line) => /^(lan|uplink|kubeconfig|defaultRoute|pools):/.test(line));
    expect(lines).to.have.length(5);
    for (const line of lines) expect(plain.split('\n')).to.include(line);
  });
});
