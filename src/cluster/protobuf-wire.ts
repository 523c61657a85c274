import type { Resource } from '../model/cluster.ts';
import { longestEvent } from './lines.ts';
import { ProtobufError, ProtobufReader } from './protobuf.ts';
import { readListMeta, readNode, readService, readSlice, readStatus } from './protobuf-objects.ts';
import { type Listed, type Page, ProtocolError } from './transport.ts';
import type { Wire } from './wire.ts';

/** The content type of Kubernetes' protobuf; a watch adds `;stream=watch`. */
export const protobufType = 'application/vnd.kubernetes.protobuf';

/** What stands before each object: "k8s" and a zero. Then comes the message Unknown of k8s.io/apimachinery/pkg/runtime. */
const magic = 0x6b_38_73_00;

const objects = { services: readService, endpointslices: readSlice, nodes: readNode };

/** Where a message is in its buffer. */
type Place = readonly [start: number, end: number];

/** The protobuf of Kubernetes, of which only the fields that we use are read. */
export const protobufWire: Wire = {
  page: (body, of) => {
    const resource = resourceOf(of);
    const what = `the list of ${resource}`;
    try {
      return pageOf(body, resource, what);
    } catch (error) {
      throw inWords(what, error);
    }
  },
  events: (chunks, of) => eventsOf(chunks, resourceOf(of)),
  status: (body) => {
    try {
      const reader = new ProtobufReader(body);
      unwrap(reader, body, 0, body.length);
      return readStatus(reader);
    } catch (error) {
      if (!(error instanceof ProtobufError)) throw error;
      return { message: `its protobuf answer cannot be read: ${error.message}` };
    }
  },
};

/** Anything else is asked for in JSON. */
function resourceOf(of: Listed): Resource {
  if (typeof of === 'string') return of;
  throw new ProtocolError(`the API server sent ConfigMap ${of.name} as protobuf, and was asked for JSON`);
}

/** The items are read one by one, when they are asked for: nothing of one is kept longer than its reader keeps it. */
function pageOf(body: Buffer, resource: Resource, what: string): Page {
  const reader = new ProtobufReader(body);
  const kind = unwrap(reader, body, 0, body.length);
  if (!kind.endsWith('List'))
    throw new ProtobufError(`it is a ${kind || 'message without a kind'}, and no list`);
  let meta: ReturnType<typeof readListMeta> | undefined;
  /** Where each item begins and ends, in turns: an object for each would be kept until the page is read. */
  const places: number[] = [];
  while (reader.next()) {
    if (reader.field === 1) meta = reader.message(readListMeta);
    else if (reader.field === 2) places.push(...reader.range());
    else reader.skip();
  }
  if (meta === undefined || meta.resourceVersion === '') throw new ProtobufError('it has no resourceVersion');
  const read = objects[resource];
  function* items(): Generator<unknown> {
    let at = 0;
    try {
      for (; at < places.length; at += 2) yield read(reader.seek(places[at] ?? 0, places[at + 1] ?? 0));
    } catch (error) {
      throw inWords(`object ${at / 2 + 1} in ${what}`, error);
    }
  }
  return { items: { [Symbol.iterator]: items }, ...meta };
}

/** Each event has its length before it, in four bytes. */
async function* eventsOf(
  chunks: AsyncIterable<Buffer>,
  resource: Resource,
): AsyncGenerator<readonly unknown[]> {
  const what = `an event of ${resource}`;
  let rest: Buffer[] = [];
  let held = 0;
  /** Bytes that are needed before there is anything to read. */
  let wanted = 4;
  for await (const chunk of chunks) {
    rest.push(chunk);
    held += chunk.length;
    if (held < wanted) continue;
    const bytes = rest.length === 1 ? chunk : Buffer.concat(rest);
    const batch: unknown[] = [];
    let at = 0;
    for (;;) {
      wanted = 4;
      if (bytes.length - at < wanted) break;
      const length = bytes.readUInt32BE(at);
      if (length > longestEvent) throw unreadable(what, `it would have ${length} bytes`);
      wanted += length;
      if (bytes.length - at < wanted) break;
      const frame = bytes.subarray(at + 4, at + wanted);
      try {
        batch.push(eventOf(frame, resource));
      } catch (error) {
        throw inWords(what, error);
      }
      at += wanted;
    }
    held = bytes.length - at;
    rest = held === 0 ? [] : [bytes.subarray(at)];
    if (batch.length > 0) yield batch;
  }
  if (held > 0) throw new Error('the API server broke the watch off in the middle of an event');
}

/** meta/v1 WatchEvent; its object is in a runtime.RawExtension, and in there like an object of its own. */
function eventOf(frame: Buffer, resource: Resource): { type: string; object: unknown } {
  const reader = new ProtobufReader(frame);
  let type = '';
  let place: Place | undefined;
  while (reader.next()) {
    if (reader.field === 1) type = reader.word();
    else if (reader.field === 2) place = reader.message(rawOf);
    else reader.skip();
  }
  if (place === undefined) throw new ProtobufError(`the event ${JSON.stringify(type)} has no object`);
  const kind = unwrap(reader, frame, ...place);
  return { type, object: kind === 'Status' ? readStatus(reader) : objects[resource](reader) };
}

/**
 * Moves the reader to the message of the object in an envelope.
 *
 * @returns its kind
 */
function unwrap(reader: ProtobufReader, bytes: Buffer, start: number, end: number): string {
  if (end - start < 4 || bytes.readUInt32BE(start) !== magic) {
    const found = JSON.stringify(bytes.toString('latin1', start, Math.min(end, start + 80)));
    throw new ProtobufError(`it begins with ${found}, not with "k8s" and a zero`);
  }
  reader.seek(start + 4, end);
  let kind = '';
  let place: Place | undefined;
  while (reader.next()) {
    if (reader.field === 1) kind = reader.message(kindOf);
    else if (reader.field === 2) place = reader.range();
    else reader.skip();
  }
  // Go writes an object of which nothing is set as no bytes at all.
  reader.seek(...(place ?? ([end, end] as const)));
  return kind;
}

/** Of a runtime.RawExtension. */
function rawOf(reader: ProtobufReader): Place | undefined {
  let place: Place | undefined;
  while (reader.next()) {
    if (reader.field === 1) place = reader.range();
    else reader.skip();
  }
  return place;
}

/** Of a runtime.TypeMeta. */
function kindOf(reader: ProtobufReader): string {
  let kind = '';
  while (reader.next()) {
    if (reader.field === 2) kind = reader.word();
    else reader.skip();
  }
  return kind;
}

function inWords(what: string, error: unknown): unknown {
  return error instanceof ProtobufError ? unreadable(what, error.message, error) : error;
}

function unreadable(what: string, why: string, cause?: Error): ProtocolError {
  return new ProtocolError(`the API server sent ${what} as protobuf that cannot be read: ${why}`, { cause });
}
