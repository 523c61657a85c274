import { type Family, families } from '../model/ip.ts';
import { publicationText, readPublication } from '../model/publication.ts';
import type { PublishedGateways } from './published.ts';
import { readIfThere, replaceFile } from './whole-file.ts';

const version = 1;

interface Content {
  readonly version: number;
  /** NAMESPACE/NAME of the ConfigMap */
  readonly configMap: string;
  readonly gateways: readonly unknown[];
  /** Families that were served. */
  readonly served: readonly unknown[];
}

/** What an agent keeps over a restart. */
export interface PublishedMemory {
  readonly gateways: PublishedGateways;
  readonly served: ReadonlySet<Family>;
}

/** Whether the text is that of the file of {@link recallPublished}. */
export function isPublishedMemory(text: string): boolean {
  try {
    return contentOf(text) !== undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

/**
 * The gateways as they were known last.
 *
 * @param configMap the file must be about this one
 * @param unreadable called with what is left out: a gateway that an earlier version has read
 * @returns undefined when there are none
 * @throws Error that says why the file cannot be used
 */
export async function recallPublished(
  file: string,
  configMap: string,
  unreadable: (why: string) => void,
): Promise<PublishedMemory | undefined> {
  const text = await readIfThere(file);
  if (text === undefined) return undefined;
  const content = contentOf(text);
  if (content?.version !== version) throw new Error(`it is not of version ${version}`);
  if (content.configMap !== configMap) return undefined;
  const gateways = content.gateways.flatMap((gateway) => {
    const { name, number, uid, value } = { ...Object(gateway) };
    if (typeof name !== 'string' || typeof number !== 'number' || typeof uid !== 'string')
      throw new Error('a gateway in it has no name, number or uid');
    try {
      return [{ name, number, uid, publication: readPublication(String(value)) }];
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      unreadable(`gateway ${name}: ${error.message}`);
      return [];
    }
  });
  return { gateways, served: new Set(families.filter((of) => content.served.includes(of))) };
}

/** Replaces the file atomically. */
export async function rememberPublished(
  file: string,
  configMap: string,
  { gateways, served }: PublishedMemory,
): Promise<void> {
  const content: Content = {
    version,
    configMap,
    served: [...served],
    gateways: gateways.map(({ name, number, uid, publication }) => ({
      name,
      number,
      uid,
      value: publicationText(publication),
    })),
  };
  await replaceFile(file, `${JSON.stringify(content)}\n`);
}

function contentOf(text: string): Content | undefined {
  const content: Partial<Content> = { ...Object(JSON.parse(text)) };
  const { version: written, configMap, gateways, served } = content;
  if (typeof written !== 'number' || typeof configMap !== 'string' || !Array.isArray(gateways))
    return undefined;
  if (!Array.isArray(served)) return undefined;
  return { version: written, configMap, gateways, served };
}
