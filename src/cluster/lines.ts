import { ProtocolError } from './transport.ts';

const newline = 10;

/** More than etcd and an API server can hold in one object. */
export const longestEvent = 64 * 1024 * 1024;

/**
 * The JSON values of a stream with one value per line, one batch per chunk.
 *
 * @throws ProtocolError when a line is not JSON, or longer than {@link longestEvent}; Error when the stream ends within a line
 */
export async function* jsonLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<readonly unknown[]> {
  let rest: Buffer[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    let start = 0;
    const batch: unknown[] = [];
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const tail = chunk.subarray(start, end);
      const line = rest.length === 0 ? tail : Buffer.concat([...rest, tail]);
      rest = [];
      held = 0;
      start = end + 1;
      if (line.length > 0) batch.push(parse(line));
    }
    if (start < chunk.length) rest.push(chunk.subarray(start));
    held += chunk.length - start;
    if (held > longestEvent)
      throw new ProtocolError(`the API server sent more than ${longestEvent} bytes of one watch event`);
    if (batch.length > 0) yield batch;
  }
  if (rest.length > 0) throw new Error('the API server broke the watch off in the middle of an event');
}

function parse(line: Buffer): unknown {
  try {
    return JSON.parse(line.toString('utf8'));
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    const start = line.toString('utf8', 0, 80);
    throw new ProtocolError(`the API server sent a watch event that is no JSON: ${start}`, { cause: error });
  }
}
