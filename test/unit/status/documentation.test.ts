import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { feedFailure } from '../../../src/cluster/failure.ts';
import { ApiError, UnreachableError } from '../../../src/cluster/transport.ts';
import { nodeAgentStatus } from '../../../src/status/node.ts';
import type { State } from '../../../src/status/state.ts';
import { agent } from '../../node-agent.ts';
import { expectSamples } from '../../sampled-page.ts';
import { violations } from './json-schema.ts';
import { aFew, degraded, drained, frozen, lacking, noLan, shadowed, unasked, well } from './samples.ts';

const page = new URL('../../../docs/status.md', import.meta.url);

/** The blocks of the page that follow a line `<!-- sample NAME -->`, by name. */
/** What is said of an API server for each way in which it cannot be reached or refuses. */
function errors(): string {
  const unreachable = (code: string): Error => {
    const cause = Object.assign(new Error(code), { code });
    return new UnreachableError('https://10.0.0.10:6443', '/etc/eiproute/kubeconfig', cause);
  };
  const codes = [
    'ECONNREFUSED',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'UND_ERR_CONNECT_TIMEOUT',
    'ECONNRESET',
    'EAI_AGAIN',
  ];
  return [
    ...codes.map((code) => feedFailure(unreachable(code), 'nodes', 'ready')),
    feedFailure(new ApiError(401, 'Unauthorized'), 'nodes', 'ready'),
    feedFailure(new ApiError(403, 'nodes is forbidden'), 'nodes', 'ready'),
    feedFailure(new ApiError(403, 'nodes is forbidden'), 'nodes', 'answers'),
    feedFailure(new ApiError(503, 'etcdserver: leader changed'), 'nodes', 'ready'),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

/** What the samples are, as they are printed. */
async function samples(): Promise<ReadonlyMap<string, string>> {
  return new Map([
    ['well', `$ eiproute status\n${(await well()).text}`],
    ['degraded', `$ eiproute status\n${(await degraded()).text}`],
    ['lacking', `$ eiproute status\n${(await lacking()).text}`],
    ['shadowed', `$ eiproute status\n${(await shadowed()).text}`],
    ['unasked', `$ eiproute status\n${(await unasked()).text}`],
    ['lan', `$ eiproute status\n${(await noLan()).text}`],
    ['drained', `$ eiproute status\n${(await drained()).text}`],
    ['frozen', `$ eiproute status\n${(await frozen()).text}`],
    ['errors', errors()],
    ['eips', `$ eiproute status --eips\n${(await aFew()).eips}`],
  ]);
}

describe('docs/status.md', () => {
  it('shows what eiproute prints (UPDATE_DOCS=1 writes it anew)', async () => {
    const printed = await samples();
    expectSamples('docs/status.md', printed);
  });

  it('names every state with its exit code', () => {
    const states: Readonly<Record<State, number>> = { OK: 0, DEGRADED: 3, FROZEN: 4, 'NOT SYNCED': 5 };
    const text = readFileSync(page, 'utf8');
    for (const [state, code] of Object.entries(states))
      expect(text).to.match(new RegExp(`^\\| \`${state}\` +\\| ${code} `, 'm'));
  });
});

describe('docs/status.schema.json', () => {
  const schema = JSON.parse(
    readFileSync(new URL('../../../docs/status.schema.json', import.meta.url), 'utf8'),
  );

  for (const [name, make] of Object.entries({ well, degraded, drained, noLan, frozen, aFew })) {
    it(`describes the status of a gateway: ${name}`, async () => {
      expect(violations(schema, (await make()).status)).to.deep.equal([]);
    });
  }

  it('describes the status of a node agent', () => {
    const inputs = {
      release: '0.1.0',
      host: 'n1',
      pid: 7,
      started: 0,
      now: 5,
      config: undefined,
      repairs: { count: 0, last: undefined },
      report: undefined,
      names: String,
    };
    const facts = {
      agent,
      report: undefined,
      unreadable: undefined,
      neighbours: [],
      names: String,
      followed: undefined,
    };
    const status = JSON.parse(JSON.stringify(nodeAgentStatus(facts, inputs)));
    expect(violations(schema, status)).to.deep.equal([]);
  });

  it('takes no other kind of time, and no field that it does not name', async () => {
    const { status } = await well();
    const [feed] = status.feeds;
    expect(violations(schema, { ...status, feeds: [{ ...feed, heard: 1_700_000_000_000 }] })).to.have.length(
      2,
    );
    expect(violations(schema, { ...status, surprise: 1 })).to.deep.equal([
      '$: has surprise, which is not described',
    ]);
    expect(violations(schema, { ...status, state: 'FINE' })).to.deep.equal(['$.state: is "FINE"']);
    const { version: _, ...without } = status;
    expect(violations(schema, without)).to.deep.equal(['$: has no version']);
  });
});
