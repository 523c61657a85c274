import { Failure } from './failure.ts';
import type { Json, JsonObject } from './json.ts';
import { intOrString, type Message, readable, type Type } from './messages.ts';

// `kubectl create namespace` and its like send protobuf whatever the server says it takes.

/** An object in the envelope of Kubernetes: `k8s`, a zero, and the message Unknown. */
export function decode(bytes: Buffer): JsonObject {
  if (bytes.toString('latin1', 0, 4) !== 'k8s\0') throw new Failure(400, 'this is no protobuf of Kubernetes');
  let kind = '';
  let apiVersion = '';
  let raw: Buffer = Buffer.alloc(0);
  for (const { number, value } of fields(bytes.subarray(4))) {
    if (typeof value === 'number') continue;
    if (number === 2) raw = value;
    if (number !== 1) continue;
    for (const inner of fields(value)) {
      if (inner.number === 1) apiVersion = String(inner.value);
      else if (inner.number === 2) kind = String(inner.value);
    }
  }
  const message = readable[kind];
  if (message === undefined) {
    throw new Failure(415, `protobuf of a ${kind} is not known here; use kubectl apply -f`);
  }
  return { apiVersion, kind, ...read(raw, message) };
}

interface Field {
  readonly number: number;
  readonly value: number | Buffer;
}

function* fields(bytes: Buffer): Generator<Field> {
  let at = 0;
  const varint = (): number => {
    let result = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at];
      if (byte === undefined) throw new Failure(400, 'the protobuf ends too early');
      at += 1;
      result += (byte & 0x7f) * factor;
      if (byte < 0x80) return result;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    switch (tag & 7) {
      case 0:
        yield { number, value: varint() };
        break;
      case 2: {
        const length = varint();
        yield { number, value: bytes.subarray(at, at + length) };
        at += length;
        break;
      }
      default:
        throw new Failure(400, `the protobuf has a field of the wire type ${tag & 7}`);
    }
  }
}

function read(bytes: Buffer, message: Message): JsonObject {
  const result: Record<string, Json> = {};
  for (const { number, value } of fields(bytes)) {
    const [name, type] = message[number] ?? [];
    if (name === undefined || type === undefined) continue;
    const field = name.replace('*', '');
    const held = result[field];
    const json = convert(value, type);
    // Go writes what is not set as zero or as an empty text.
    if (json === '' || json === 0) continue;
    if (name.endsWith('*')) result[field] = [...(Array.isArray(held) ? held : []), json];
    else if (type === 'map') result[field] = { ...(typeof held === 'object' ? held : {}), ...entry(value) };
    else result[field] = json;
  }
  return result;
}

function convert(value: number | Buffer, type: Type): Json {
  if (typeof value === 'number') return type === 'boolean' ? value === 1 : value;
  if (type === 'map') return null;
  if (type === 'quantities' || type === 'time' || type === 'json') return '';
  if (type === 'port') {
    const { kind, number, text } = { kind: 0, number: 0, text: '', ...read(value, intOrString) };
    return kind === 1 ? text : number;
  }
  return typeof type === 'string' ? value.toString('utf8') : read(value, type);
}

function entry(value: number | Buffer): JsonObject {
  if (typeof value === 'number') return {};
  let key = '';
  let text = '';
  for (const field of fields(value)) {
    if (field.number === 1) key = String(field.value);
    else text = String(field.value);
  }
  return { [key]: text };
}
