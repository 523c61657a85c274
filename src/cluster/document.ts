import { LineCounter, parseAllDocuments } from 'yaml';
import type { Resource } from '../model/cluster.ts';
import { isLog, LogError, readLog } from './cluster-log.ts';
import { resourceOf } from './raw.ts';

/** The text is not a list of Kubernetes objects. */
export class DocumentError extends Error {
  override readonly name = 'DocumentError';
}

/** Services, EndpointSlices and Nodes by resource; objects of other kinds are left out. */
export type ByResource = Readonly<Record<Resource, readonly unknown[]>>;

/**
 * Reads the output of `kubectl get services,endpointslices,nodes -A -o json` or `-o yaml`. Several YAML documents,
 * single objects, and the log of the last known cluster are accepted as well.
 *
 * @param text JSON, YAML or a log
 * @throws DocumentError with line and column
 */
export function readObjects(text: string): ByResource {
  const objects = { services: [] as unknown[], endpointslices: [] as unknown[], nodes: [] as unknown[] };
  for (const document of documents(text)) {
    for (const item of itemsOf(document)) {
      const resource = resourceOf(item);
      if (resource !== undefined) objects[resource].push(item);
    }
  }
  return objects;
}

function documents(text: string): readonly unknown[] {
  if (isLog(text)) return [log(text)];
  const start = text.trimStart();
  if (start === '') throw new DocumentError('it is empty');
  return start.startsWith('{') || start.startsWith('[') ? [json(text)] : yaml(text);
}

function log(text: string): readonly unknown[] {
  try {
    return [...readLog(Buffer.from(text)).objects];
  } catch (error) {
    if (!(error instanceof LogError)) throw error;
    throw new DocumentError(error.message, { cause: error });
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw new DocumentError(where(text, error.message), { cause: error });
  }
}

/** V8 gives the position of some syntax errors, and the surrounding text of others. */
function where(text: string, message: string): string {
  const found = /at position (\d+)/.exec(message)?.[1];
  const cutOff = message.startsWith('Unexpected end');
  if (found === undefined && !cutOff) return message.replaceAll(/\s+/g, ' ');
  const before = text.slice(0, cutOff ? text.length : Number(found)).split('\n');
  const column = (before.at(-1)?.length ?? 0) + 1;
  const [what = ''] = message.split(/ in JSON| \(line/);
  return `line ${before.length}, column ${column}: ${what}`;
}

function yaml(text: string): readonly unknown[] {
  const lines = new LineCounter();
  const parsed = parseAllDocuments(text, { lineCounter: lines, prettyErrors: false });
  return [...parsed].map((document) => {
    const [error] = document.errors;
    if (error !== undefined) {
      const { line, col } = lines.linePos(error.pos[0]);
      throw new DocumentError(`line ${line}, column ${col}: ${error.message}`, { cause: error });
    }
    return document.toJS();
  });
}

function itemsOf(document: unknown): readonly unknown[] {
  if (Array.isArray(document)) return document;
  if (typeof document !== 'object' || document === null) {
    throw new DocumentError('it holds no Kubernetes objects');
  }
  if (!('items' in document)) return [document];
  const { items } = document;
  if (!Array.isArray(items)) throw new DocumentError('its "items" is no list');
  return items;
}
