import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { expect } from 'chai';
import { Draining } from '../../../src/daemon/draining.ts';
import { rememberEips } from '../../../src/daemon/eips-memory.ts';
import { identity } from '../../../src/daemon/identity.ts';
import { stateFiles } from '../../../src/daemon/state-files.ts';
import { Ledger } from '../../../src/kernel/ledger.ts';
import { parsePrefix } from '../../../src/model/ip.ts';

describe('the state files', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'eip-state-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const found = async (role: 'gateway' | 'node') =>
    (await stateFiles(folder, role)).map((file) => relative(folder, file));

  it('are those that the daemon of the role writes', async () => {
    expect(await found('gateway')).to.deep.equal([]);
    const former = new Map([['net/ipv4/ip_forward', '0']]);
    await identity(folder);
    await (await Ledger.load(join(folder, 'sysctls.json'))).remember(former);
    await (await Ledger.load(join(folder, 'node', 'sysctls.json'))).remember(former);
    await rememberEips(join(folder, 'node', 'eips.json'), 'kube-system/eips', [parsePrefix('192.0.2.0/24')]);
    writeFileSync(join(folder, 'cluster.json'), 'eiproute-cluster-log 2\n');
    await (await Draining.recall(folder)).begin(0);
    writeFileSync(join(folder, 'covering.json'), '{"version":1,"services":{},"clusters":{},"deleted":{}}');
    writeFileSync(join(folder, 'notes.txt'), 'of a person');
    expect(await found('gateway')).to.deep.equal([
      'cluster.json',
      'covering.json',
      'draining',
      'identity',
      'sysctls.json',
    ]);
    expect(await found('node')).to.deep.equal(['node/eips.json', 'node/sysctls.json']);
  });

  it('are not those that only have such a name', async () => {
    mkdirSync(join(folder, 'sysctls.json'));
    mkdirSync(join(folder, 'node'));
    writeFileSync(join(folder, 'cluster.json'), '{ "kind": "List", "items": [] }');
    writeFileSync(join(folder, 'covering.json'), '[]');
    writeFileSync(join(folder, 'identity'), 'me\n');
    writeFileSync(join(folder, 'draining'), 'the pool\n');
    writeFileSync(join(folder, 'node', 'eips.json'), '[]');
    writeFileSync(join(folder, 'node', 'sysctls.json'), 'net.ipv4.ip_forward = 1\n');
    expect([...(await found('gateway')), ...(await found('node'))]).to.deep.equal([]);
  });
});
