import { at, textAt } from '../../lab/cluster/api/json.ts';
import { type ApiClient, ApiRefusal } from '../../lab/cluster/api-client.ts';
import { late } from '../patience.ts';

/**
 * What a watch of the Services from a version begins with: the code and message of an error, or the type of the event;
 * undefined: the watch ended without any.
 */
export async function firstEvent(client: ApiClient, version: string): Promise<string | undefined> {
  try {
    for await (const { type, object } of client.watch('Service', version, late())) {
      return type === 'ERROR' ? `${at(object, 'code')} ${textAt(object, 'message')}` : type;
    }
  } catch (error) {
    if (error instanceof ApiRefusal) return error.message;
    throw error;
  }
  return undefined;
}
