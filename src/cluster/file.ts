import { watch } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import type { Resource } from '../model/cluster.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Cluster } from './cluster.ts';
import { type ByResource, DocumentError, readObjects } from './document.ts';
import { Signal } from './signal.ts';
import { ClusterStore, resources, storeCluster } from './store.ts';

const kinds: Readonly<Record<Resource, string>> = {
  services: 'Service',
  endpointslices: 'EndpointSlice',
  nodes: 'Node',
};
const recipe = 'write it with: kubectl get services,endpointslices,nodes -A -o json';

/**
 * The cluster as a file tells it; follows the file as it changes or is replaced. A file that can not be read keeps
 * the last good picture.
 *
 * @param retry ms between two attempts to watch a folder that is not there
 */
export function fileCluster(path: string, retry = 2000, clock: Clock = systemClock): Cluster {
  const store = new ClusterStore();
  const stop = new AbortController();
  const running = follow(path, store, retry, clock, stop.signal);
  return storeCluster(store, async () => {
    stop.abort();
    await running;
  });
}

async function follow(
  path: string,
  store: ClusterStore,
  retry: number,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  let last = '';
  while (!signal.aborted) {
    try {
      const touched = new Signal(() => {});
      // The folder, because the file itself is replaced by a rename, and below a ConfigMap by that of a link.
      const watcher = watchFolder(dirname(path), () => touched.notify());
      try {
        const touches = touched.listen(AbortSignal.any([signal, watcher.broken]));
        last = await read(path, store, last, clock);
        for await (const _ of touches) last = await read(path, store, last, clock);
      } finally {
        watcher.close();
      }
    } catch (error) {
      if (!isFileError(error)) throw error;
      trouble(store, `${path} can not be followed: ${error.message}; create the folder ${dirname(path)}`);
    }
    await clock.sleep(retry, signal).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
  }
}

/** @returns `broken` is aborted when nothing more will be heard */
function watchFolder(folder: string, touched: () => void): { broken: AbortSignal; close: () => void } {
  const broken = new AbortController();
  const watcher = watch(folder, (_event, name) => {
    // inotify tells that the folder itself is gone by its own name.
    if (name === basename(folder)) broken.abort();
    touched();
  });
  watcher.once('error', () => broken.abort());
  return { broken: broken.signal, close: () => watcher.close() };
}

/** @returns what tells this version of the file from the next one */
async function read(path: string, store: ClusterStore, last: string, clock: Clock): Promise<string> {
  let version = last;
  try {
    const { mtimeNs, size, ino } = await stat(path, { bigint: true });
    version = `${ino} ${size} ${mtimeNs}`;
    if (version === last) return last;
    await take(readObjects(await readFile(path, 'utf8')), path, store, clock.now());
  } catch (error) {
    if (error instanceof DocumentError) {
      trouble(store, `${path}: ${error.message}; the last good content stays in use; ${recipe}`);
    } else if (isFileError(error)) {
      version = '';
      trouble(
        store,
        `${path} can not be read: ${error.message}; the last good content stays in use; ${recipe}`,
      );
    } else throw error;
  }
  store.notify();
  return version;
}

async function take(objects: ByResource, path: string, store: ClusterStore, now: number): Promise<void> {
  for (const resource of resources) {
    const items = objects[resource];
    // No cluster is without nodes, nor without the Service "kubernetes": this list was not asked for.
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

function trouble(store: ClusterStore, text: string): void {
  for (const resource of resources) store.state(resource, { trouble: text });
  store.notify();
}

function isFileError(error: unknown): error is Error {
  return error instanceof Error && 'code' in error && 'syscall' in error;
}
