import type { Listed, Page } from './transport.ts';

/** How an API server writes lists, watches and errors. */
export interface Wire {
  /** @throws ProtocolError when it is no list; so does the iteration of its items, at the first that cannot be read */
  page(body: Buffer, of: Listed): Page;

  /**
   * The events of a watch, `{ type, object }`; one batch per chunk.
   *
   * @throws ProtocolError when an event cannot be read; Error when the stream ends within one
   */
  events(chunks: AsyncIterable<Buffer>, of: Listed): AsyncIterable<readonly unknown[]>;

  /** The Status of an answer that is an error; an intermediate proxy may send a page of its own instead. */
  status(body: Buffer): unknown;
}
