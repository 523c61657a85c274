import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { parse } from 'yaml';
import type { NodeConfig } from '../../../src/config/config.ts';
import { fixedKeys } from '../../../src/config/fixed-keys.ts';
import { readNodeConfig } from '../../../src/config/load-node.ts';
import { nodeSchema } from '../../../src/config/node-schema.ts';
import { changedKeys } from '../../../src/config/notation.ts';
import { gatewaySchema, type Schema } from '../../../src/config/schema.ts';

const schemas = { gateway: gatewaySchema, node: nodeSchema };

function keysOf({ leaves, lists }: Schema): readonly string[] {
  return [...leaves.map(({ key }) => key), ...lists];
}

function node(eipsFrom: string): NodeConfig {
  const text = `gateways: [10.0.0.1]\neipsFrom: ${eipsFrom}\n`;
  const result = readNodeConfig(Buffer.from(text), { file: 'node.yaml', env: {}, flags: [], cwd: '/etc' });
  if (!('config' in result)) throw new Error(JSON.stringify(result));
  return result.config;
}

describe('the keys that need a restart', () => {
  it('are keys of the configuration', () => {
    const known = Object.values(schemas).flatMap(keysOf);
    for (const key of fixedKeys) expect(known).to.include(key);
  });

  it('have all of what tells a node where the networks of EIPs are', () => {
    const from = node('{ configMap: kube-system/eips }');
    const to = node('{ kubeconfig: /k, context: c, configMap: kube-system/other, key: k, every: 1m }');
    const changed = changedKeys(from, to);
    expect(changed).to.have.length(5);
    expect(fixedKeys).to.include.members([...changed]);
  });

  for (const [role, schema] of Object.entries(schemas)) {
    it(`are those with which Ansible restarts a ${role}`, () => {
      const keys = keysOf(schema).filter((key) => fixedKeys.includes(key));
      const firsts = new Set(keys.map((key) => key.replace(/\..*/, '')));
      const defaults = parse(readFileSync(`ansible/roles/${role}/defaults/main.yml`, 'utf8'));
      expect([...defaults[`${role}_fixed`]].sort()).to.deep.equal([...firsts].sort());
    });
  }
});
