import { readFileSync } from 'node:fs';
import { expect } from 'chai';
import { type EventName, events } from '../../../src/journal/event.ts';

/** What tells of good news or of work done; everything else is for a person to act on, and is explained. */
const selfEvident: readonly EventName[] = [
  'started',
  'node-started',
  'names-written',
  'names-refused',
  'stopped',
  'eip-assigned',
  'eip-taken-back',
  'eips-assigned',
  'eip-routed',
  'eip-moved',
  'eip-withdrawn',
  'eips-changed',
  'node-drains',
  'node-drained',
  'node-undrained',
  'more-drains',
  'round',
  'announcing',
  'lists-complete',
  'cluster-back',
  'kernel-readable',
  'solved',
  // It follows twenty that are explained.
  'more-findings',
  'more-solved',
  'records-left-out',
  'config-reloaded',
];

describe('the catalog of the journal', () => {
  const catalog = readFileSync('systemd/eiproute.catalog', 'utf8');

  it('explains every event that a person may have to act on, and no other', () => {
    const explained = catalog.matchAll(/^-- (\w+)$/gm).map(([, id]) => id);
    const asked = Object.entries(events)
      .filter(([name]) => !selfEvident.some((known) => known === name))
      .map(([, { id }]) => id);
    expect([...explained].sort()).to.deep.equal(asked.sort());
  });

  it('names only fields that the journal has', () => {
    for (const [, field] of catalog.matchAll(/@(\w+)@/g)) expect(field).to.match(/^(EIP|EIPROUTE_[A-Z_]+)$/);
  });
});
