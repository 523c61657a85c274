import { expect } from 'chai';
import { settings } from '../../../lab/demo/settings.ts';
import { gatewayConfig, gatewayFiles } from '../../../lab/eiproute/gateway-files.ts';
import type { GatewayConfig } from '../../../src/config/config.ts';
import { problemLine } from '../../../src/config/config-problem.ts';
import { readGatewayConfig } from '../../../src/config/load.ts';
import { changedKeys } from '../../../src/config/notation.ts';

describe('the configuration of the demo', () => {
  const read = (lines: string): GatewayConfig => {
    const files = gatewayFiles('/run/lab');
    const text = Buffer.from(gatewayConfig(files, { lines }));
    const result = readGatewayConfig(text, { file: files.config, env: {}, flags: [], cwd: '/' });
    if (result.kind === 'refused') throw new Error(result.errors.map(problemLine).join('\n'));
    return result.config;
  };

  it('is that of a gateway as shipped, but for who gets an address and who writes it', () => {
    const changed = changedKeys(read('allocate: true'), read(settings));
    expect(changed).to.have.members(['allocate.classless', 'allocate.lease']);
  });
});
