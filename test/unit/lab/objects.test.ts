import { expect } from 'chai';
import { Failure } from '../../../lab/cluster/api/failure.ts';
import { type JsonObject, textAt } from '../../../lab/cluster/api/json.ts';
import { kinds } from '../../../lab/cluster/api/kinds.ts';
import { Objects } from '../../../lab/cluster/api/objects.ts';
import { selector } from '../../../lab/cluster/api/selector.ts';

const service = kinds.find((kind) => kind.kind === 'Service');
if (service === undefined) throw new Error('no Service');

const web = { metadata: { name: 'web', namespace: 'default' } };
const version = (object: JsonObject): string => textAt(object, 'metadata', 'resourceVersion');

describe('the objects of the embedded API server', () => {
  it('give each object a uid and each change a higher version', () => {
    const objects = new Objects();
    const first = objects.create(service, web);
    const second = objects.update(service, { ...web, spec: {} });
    expect(textAt(first, 'metadata', 'uid')).to.equal(textAt(second, 'metadata', 'uid'));
    expect(Number(version(second))).to.be.greaterThan(Number(version(first)));
  });

  it('refuse a second one of a name, and a write to an old version', () => {
    const objects = new Objects();
    const first = objects.create(service, web);
    expect(() => objects.create(service, web)).to.throw(Failure, 'already exists');
    objects.update(service, { ...first, spec: {} });
    expect(() => objects.update(service, { ...first, spec: { type: 'NodePort' } })).to.throw(
      Failure,
      'the object has been modified',
    );
  });

  it('make no new version of an update that changes nothing', () => {
    const objects = new Objects();
    const first = objects.create(service, web);
    expect(objects.update(service, first)).to.equal(first);
  });

  it('keep an object with finalizers until they are gone', () => {
    const objects = new Objects();
    objects.create(service, { metadata: { ...web.metadata, finalizers: ['eiproute.io/x'] } });
    const going = objects.delete(service, 'default', 'web');
    expect(textAt(going, 'metadata', 'deletionTimestamp')).not.to.equal('');
    expect(objects.has(service, 'default', 'web')).to.equal(true);
    objects.update(service, { ...going, metadata: { ...web.metadata, finalizers: [] } });
    expect(objects.has(service, 'default', 'web')).to.equal(false);
  });

  it('remember what happened since a version, until that is compacted', () => {
    const objects = new Objects();
    const first = objects.create(service, web);
    objects.update(service, { ...web, spec: {} });
    objects.delete(service, 'default', 'web');
    expect(objects.since(Number(version(first))).map(({ type }) => type)).to.deep.equal([
      'MODIFIED',
      'DELETED',
    ]);
    objects.compact();
    expect(() => objects.since(Number(version(first)))).to.throw(Failure, 'too old resource version');
    expect(objects.since(objects.version)).to.deep.equal([]);
  });
});

describe('a selector', () => {
  const object = {
    metadata: { name: 'web', labels: { app: 'web', tier: 'front' } },
    involvedObject: { kind: 'Service' },
  };
  const cases: readonly [of: string, terms: string, selects: boolean][] = [
    ['label', '', true],
    ['label', 'app=web', true],
    ['label', 'app==web,tier!=back', true],
    ['label', 'app=api', false],
    ['label', 'tier in (front,back),app', true],
    ['label', 'tier notin (front)', false],
    ['label', '!gone', true],
    ['label', 'gone', false],
    ['field', 'metadata.name=web', true],
    ['field', 'metadata.name=web,involvedObject.kind!=Node', true],
    ['field', 'metadata.name!=web', false],
  ];
  for (const [of, terms, selects] of cases) {
    it(`of the ${of} "${terms}" ${selects ? 'takes' : 'leaves'} the object`, () => {
      expect(selector(new URLSearchParams([[`${of}Selector`, terms]]))(object)).to.equal(selects);
    });
  }
});
