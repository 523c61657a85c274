import { expect } from 'chai';
import fc from 'fast-check';
import { Failure } from '../../../lab/cluster/api/failure.ts';
import type { Json } from '../../../lab/cluster/api/json.ts';
import { jsonPatch, mergePatch, strategicPatch } from '../../../lab/cluster/api/patch.ts';
import { decode } from '../../../lab/cluster/api/protobuf.ts';

describe('a merge patch', () => {
  // The examples of RFC 7386, appendix A.
  const cases: readonly [target: Json, patch: Json, result: Json][] = [
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ];
  for (const [target, patch, result] of cases) {
    it(`of ${JSON.stringify(target)} with ${JSON.stringify(patch)}`, () => {
      expect(mergePatch(target, patch)).to.deep.equal(result);
    });
  }
});

describe('a strategic merge patch', () => {
  const ports = [
    { port: 80, name: 'http' },
    { port: 443, name: 'https' },
  ];

  const cases: readonly { name: string; target: Json; patch: Json; result: Json }[] = [
    {
      name: 'merges ports by their number',
      target: { ports },
      patch: { ports: [{ port: 80, nodePort: 30_080 }, { port: 81 }] },
      result: {
        ports: [{ port: 80, name: 'http', nodePort: 30_080 }, { port: 443, name: 'https' }, { port: 81 }],
      },
    },
    {
      name: 'deletes by directive',
      target: { ports },
      patch: { ports: [{ $patch: 'delete', port: 80 }] },
      result: { ports: [{ port: 443, name: 'https' }] },
    },
    {
      name: 'replaces by directive',
      target: { ports },
      patch: { ports: [{ $patch: 'replace' }, { port: 1 }] },
      result: { ports: [{ port: 1 }] },
    },
    {
      name: 'replaces lists without a key',
      target: { externalIPs: ['192.0.2.1'] },
      patch: { externalIPs: ['192.0.2.2'] },
      result: { externalIPs: ['192.0.2.2'] },
    },
    {
      name: 'adds to and deletes from sets',
      target: { finalizers: ['a', 'b'] },
      patch: { finalizers: ['c', 'b'], '$deleteFromPrimitiveList/finalizers': ['a'] },
      result: { finalizers: ['b', 'c'] },
    },
    {
      name: 'ignores orders and obeys $retainKeys',
      target: { a: 1, b: 2 },
      patch: { '$setElementOrder/ports': [{ port: 1 }], $retainKeys: ['b', 'c'], c: 3 },
      result: { b: 2, c: 3 },
    },
    {
      name: 'deletes with null',
      target: { a: { b: 1, c: 2 } },
      patch: { a: { b: null } },
      result: { a: { c: 2 } },
    },
  ];
  for (const { name, target, patch, result } of cases) {
    it(name, () => {
      expect(strategicPatch(target, patch)).to.deep.equal(result);
    });
  }
});

describe('a JSON patch', () => {
  it('adds, removes, replaces and tests', () => {
    const target = { a: [1, 2, 3], b: { 'x/y': 1 } };
    const patched = jsonPatch(target, [
      { op: 'test', path: '/a/0', value: 1 },
      { op: 'remove', path: '/a/0' },
      { op: 'add', path: '/a/-', value: 4 },
      { op: 'replace', path: '/b/x~1y', value: 2 },
      { op: 'add', path: '/c', value: {} },
    ]);
    expect(patched).to.deep.equal({ a: [2, 3, 4], b: { 'x/y': 2 }, c: {} });
    expect(target).to.deep.equal({ a: [1, 2, 3], b: { 'x/y': 1 } });
  });

  for (const operation of [
    { op: 'remove', path: '/nothing' },
    { op: 'test', path: '/a', value: 2 },
    { op: 'move', path: '/a' },
    { op: 'add' },
  ]) {
    it(`refuses ${JSON.stringify(operation)}`, () => {
      expect(() => jsonPatch({ a: 1 }, [operation])).to.throw(Failure);
    });
  }
});

describe('protobuf', () => {
  it('is decoded or refused, never more', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        try {
          decode(Buffer.concat([Buffer.from('k8s\0\x0a\x0f\x0a\x02v1\x12\x09Namespace\x12'), bytes]));
        } catch (error) {
          expect(error).to.be.instanceOf(Failure);
        }
      }),
    );
  });
});
