import { watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Resource } from '../model/cluster.ts';
import { systemClock } from './clock.ts';
import type { Cluster } from './cluster.ts';
import { type ByResource, DocumentError, readObjects } from './document.ts';
import { isFileError } from './file-error.ts';
import { Signal } from './signal.ts';
import { ClusterStore, resources, storeCluster } from './store.ts';

const kinds: Readonly<Record<Resource, string>> = {
  services: 'Service',
  endpointslices: 'EndpointSlice',
  nodes: 'Node',
};
const recipe = 'write it with: kubectl get services,endpointslices,nodes -A -o json';

/**
 * The cluster in a file, read again whenever the file changes or is replaced. While the file cannot be read, the last
 * valid content stays in use.
 *
 * @param retry ms between two attempts to watch a folder that is not there
 */
export function fileCluster(path: string, retry = 2000): Cluster {
  const store = new ClusterStore();
  const stop = new AbortController();
  const running = follow(path, store, retry, stop.signal);
  return storeCluster(store, async () => {
    stop.abort();
    await running;
  });
}

async function follow(path: string, store: ClusterStore, retry: number, signal: AbortSignal): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    try {
      const touched = new Signal(() => {});
      // The folder is watched, because editors replace the file by a rename, and a ConfigMap volume replaces a link.
      const watcher = watchFolder(dirname(path), () => touched.notify());
      try {
        const touches = touched.listen(AbortSignal.any([signal, watcher.broken]));
        last = await read(path, store, last);
        for await (const _ of touches) last = await read(path, store, last);
      } finally {
        watcher.close();
      }
    } catch (error) {
      if (!isFileError(error)) throw error;
      trouble(
        store,
        `${path} cannot be followed: there is no folder ${dirname(path)} (${error.code}); create it`,
      );
    }
    await systemClock.sleep(retry, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

/** @returns `broken` is aborted when the watch has ended */
function watchFolder(folder: string, touched: () => void): { broken: AbortSignal; close: () => void } {
  const broken = new AbortController();
  const watcher = watch(folder, (_event, name) => {
    // inotify reports the deletion of the folder under the folder's own name.
    if (name === basename(folder)) broken.abort();
    touched();
  });
  watcher.once('error', () => broken.abort());
  return { broken: broken.signal, close: () => watcher.close() };
}

/** @returns an identifier of this version of the file */
async function read(path: string, store: ClusterStore, last: string): Promise<string> {
  let version = last;
  try {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    version = `${ino} ${size} ${mtimeNs}`;
    if (version === last) return last;
    await take(readObjects(await readFile(path, 'utf8')), path, store, systemClock.now());
  } catch (error) {
    if (error instanceof DocumentError) {
      trouble(store, `${path}: ${error.message}; what was read before stays in use; ${recipe}`);
    } else if (isFileError(error)) {
      version = '';
      trouble(
        store,
        `${path} cannot be read: ${fileWords(error)}; what was read before stays in use; ${recipe}`,
      );
    } else throw error;
  }
  store.notify();
  return version;
}

async function take(objects: ByResource, path: string, store: ClusterStore, now: number): Promise<void> {
  for (const resource of resources) {
    const items = objects[resource];
    // Every cluster has Nodes and the Service "kubernetes", so an empty list was not queried.
    if (items.length === 0) {
      store.state(resource, { trouble: `${path} has no ${kinds[resource]}; ${recipe}` });
      continue;
    }
    const replacement = store.indexes[resource].replacement();
    for (const item of items) replacement.add(item);
    await store.commit(replacement, turn);
    store.heard(resource, now);
    store.state(resource, { synced: true, trouble: undefined });
  }
}

/** Why a file cannot be read, in words. */
function fileWords({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'there is no such file (ENOENT)';
    case 'EACCES':
      return 'this user may not read it (EACCES)';
    case 'EISDIR':
      return 'it is a directory (EISDIR)';
    default:
      return message;
  }
}

function trouble(store: ClusterStore, text: string): void {
  for (const resource of resources) store.state(resource, { trouble: text });
  store.notify();
}
