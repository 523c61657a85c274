import { expect } from 'chai';
import { Claimants } from '../../../src/desire/claimants.ts';
import { readerOf } from '../../../src/desire/cluster-reader.ts';
import { Departures } from '../../../src/desire/evidence.ts';
import { type NamedEip, servicesNaming } from '../../../src/desire/named-eip.ts';
import { ServiceTable } from '../../../src/desire/service-table.ts';
import { parseIp } from '../../../src/model/ip.ts';
import { gateway, service, snapshot } from '../../scene.ts';

describe('the EIPs that a Service names', () => {
  for (const [what, count] of [
    ['one', 1],
    ['two', 2],
    ['three', 3],
    // An object of the API has room for tens of thousands; what each change costs then must not be their square.
    ['as many as an object holds', 60_000],
  ] as const)
    it(`are those that came, those that stay and those that went, where they are ${what}`, () => {
      const eips = (from: number): readonly string[] =>
        Array.from(
          { length: count },
          (_, i) => `10.${(from + i) >> 16}.${((from + i) >> 8) & 255}.${(from + i) & 255}`,
        );
      const shift = Math.ceil(count / 3);
      const [before, after] = [eips(0), eips(shift)];
      const departures = new Departures();
      const table = new ServiceTable();
      const claimants = new Claimants(gateway(), departures, table);
      const byEvent = { services: new Set(['default/web']), nodes: false };
      const read = (names: readonly string[]): readonly NamedEip[] => {
        const dirty: NamedEip[] = [];
        const services = [service('web', [], { externalIps: names.map(parseIp) })];
        const again = table.read(byEvent.services, readerOf(snapshot([], services)));
        claimants.take(again, byEvent, dirty);
        for (const named of dirty) named.isDirty = false;
        return dirty;
      };
      read(before);
      const dirty = read(after);
      expect(dirty).to.have.length(count + shift);
      expect(dirty.filter((named) => servicesNaming(named).length === 1)).to.have.length(count);
      // A map for one Service would take more room than the rest, and its EIP be compared with no other.
      expect(dirty.some(({ named }) => named instanceof Map)).to.equal(false);
      const lost = before.filter((eip) => departures.isEipTaken(parseIp(eip)));
      expect(lost).to.deep.equal(before.slice(0, shift));
      read(before);
      expect(before.some((eip) => departures.isEipLost(parseIp(eip)))).to.equal(false);
      expect(after.filter((eip) => departures.isEipLost(parseIp(eip)))).to.deep.equal(
        after.slice(count - shift),
      );
    });
});
