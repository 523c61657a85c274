import { expect } from 'chai';
import { type Book, BookKeeper } from '../../../src/ipam/book.ts';
import type { ClusterState, Feed } from '../../../src/model/cluster.ts';

const east: ClusterState = { name: 'east', complete: true, remembered: false };
const west: ClusterState = { name: 'west', complete: true, remembered: false };

/** A keeper that is asked again with other turns and writes. */
class Keeper {
  readonly books = new BookKeeper();
  readonly turns = new Map<string | undefined, number>([
    ['east', 1],
    ['west', 1],
  ]);
  readonly busy = new Set<string | undefined>();
  clusters: readonly ClusterState[] = [east, west];

  look(): Book | undefined {
    const { clusters } = this;
    const feeds: readonly Feed[] = [];
    return this.books.look({
      overview: { complete: clusters.every(({ complete }) => complete), clusters, feeds },
      turn: (name) => this.turns.get(name),
      isBusy: (name) => this.busy.has(name),
    });
  }
}

/** `open of east, taken of west, awaits west` */
function words(book: Book | undefined): string {
  if (book === undefined) return 'nothing';
  const { open, taken, awaited } = book;
  return `open ${[...open].join(' ')}, taken ${[...taken].join(' ')}, awaits ${awaited.join(' ')}`;
}

describe('the book of addresses', () => {
  it('is the same as long as nothing changes, and another one with another turn', () => {
    const keeper = new Keeper();
    const book = keeper.look();
    expect(words(book)).to.equal('open east west, taken east west, awaits ');
    expect(keeper.look()).to.equal(book);
    keeper.turns.set('east', 2);
    expect(words(keeper.look())).to.equal('open east west, taken east, awaits ');
  });

  it('is not begun before each cluster is known or in trouble', () => {
    const keeper = new Keeper();
    keeper.clusters = [east, { ...west, complete: false }];
    expect(words(keeper.look())).to.equal('nothing');
    keeper.clusters = [east, west];
    expect(words(keeper.look())).to.equal('open east west, taken east west, awaits ');
  });

  it('awaits a cluster while a write of an earlier turn may still arrive there, and goes on in the others', () => {
    const keeper = new Keeper();
    keeper.look();
    keeper.turns.set('east', 2);
    keeper.busy.add('east');
    expect(words(keeper.look())).to.equal('open west, taken , awaits east');
    keeper.busy.clear();
    expect(words(keeper.look())).to.equal('open east west, taken east, awaits ');
  });
});
