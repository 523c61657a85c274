import { expect } from 'chai';
import fc from 'fast-check';
import { type Linked, LinkedList } from '../../../src/desire/linked-list.ts';

interface Member extends Linked<Member> {
  readonly name: number;
}

const newMember = (name: number): Member => ({ name, previous: undefined, next: undefined });

describe('a linked list', () => {
  it('has the members of a set, in its order, whoever comes and goes', () => {
    const names = fc.array(fc.nat({ max: 6 }), { maxLength: 40 });
    fc.assert(
      fc.property(names, (turned) => {
        const members = Array.from({ length: 7 }, (_, name) => newMember(name));
        const list = new LinkedList<Member>();
        const set = new Set<Member>();
        for (const name of turned) {
          const member = members[name];
          if (member === undefined) continue;
          if (set.delete(member)) list.delete(member);
          else {
            set.add(member);
            list.add(member);
          }
          expect([...list]).to.deep.equal([...set]);
          expect(list.size).to.equal(set.size);
          expect(list.first).to.equal([...set][0]);
        }
      }),
    );
  });

  it('is walked to its end while each member goes to another one', () => {
    const from = new LinkedList<Member>();
    const to = new LinkedList<Member>();
    for (let name = 0; name < 5; name += 1) from.add(newMember(name));
    for (const member of from) {
      from.delete(member);
      to.add(member);
    }
    expect(from.size).to.equal(0);
    expect([...to].map(({ name }) => name)).to.deep.equal([0, 1, 2, 3, 4]);
  });
});
