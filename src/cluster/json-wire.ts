import { jsonLines } from './lines.ts';
import { ProtocolError } from './transport.ts';
import type { Wire } from './wire.ts';

/** JSON, which every server can write. */
export const jsonWire: Wire = {
  page: (body, of) => {
    const list = parseJson(body.toString('utf8'));
    if (typeof list === 'object' && list !== null && 'items' in list && 'metadata' in list) {
      const { items, metadata } = list;
      if (typeof metadata === 'object' && metadata !== null && 'resourceVersion' in metadata) {
        const { resourceVersion } = metadata;
        const next = 'continue' in metadata ? metadata.continue : undefined;
        // Go encodes a nil slice as null.
        const all: unknown = items ?? [];
        if (Array.isArray(all) && typeof resourceVersion === 'string') {
          return {
            items: all,
            resourceVersion,
            next: typeof next === 'string' && next !== '' ? next : undefined,
          };
        }
      }
    }
    throw new ProtocolError(
      `what the API server sent for ${typeof of === 'string' ? of : 'configmaps'} is no list of Kubernetes`,
    );
  },
  events: jsonLines,
  status: (body) => {
    const text = body.toString('utf8');
    try {
      return JSON.parse(text);
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      return { message: text.trim().slice(0, 200) };
    }
  },
};

/** @throws ProtocolError */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new ProtocolError(`the API server sent an answer that is no JSON: ${error.message}`, {
      cause: error,
    });
  }
}
