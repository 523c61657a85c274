import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { stringify } from 'yaml';
import { rawNode, rawService, rawSlice } from '../../lab/cluster/manifests.ts';
import { fileCluster } from '../../src/cluster/file.ts';
import { type ClusterFixture, clusterContract } from './cluster-suite.ts';
import { troubles, until } from './until.ts';

async function folder(): Promise<AsyncDisposable & { path: string }> {
  const path = await mkdtemp(join(tmpdir(), 'eiproute-file-'));
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true }) };
}

type Format = 'json' | 'yaml';

function text(objects: readonly object[], format: Format): string {
  const list = { apiVersion: 'v1', kind: 'List', items: objects };
  return format === 'json' ? JSON.stringify(list, null, 4) : stringify(list);
}

function keyOf(object: object): string {
  const { kind, metadata } = JSON.parse(JSON.stringify(object));
  return `${kind} ${metadata.namespace} ${metadata.name}`;
}

async function stage(world: readonly object[], format: Format): Promise<ClusterFixture> {
  const home = await folder();
  const path = join(home.path, `cluster.${format}`);
  const objects = new Map(world.map((object) => [keyOf(object), object]));
  const save = async (): Promise<void> => {
    await writeFile(`${path}.new`, text([...objects.values()], format));
    await rename(`${path}.new`, path);
  };
  await save();
  const cluster = fileCluster(path, 10);
  return {
    cluster,
    set: async (...changed) => {
      for (const object of changed) objects.set(keyOf(object), object);
      await save();
    },
    delete: async (...gone) => {
      for (const object of gone) objects.delete(keyOf(object));
      await save();
    },
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]();
      await home[Symbol.asyncDispose]();
    },
  };
}

clusterContract('a JSON file', 'list', (world) => stage(world, 'json'));
clusterContract('a YAML file', 'list', (world) => stage(world, 'yaml'));

describe('the file cluster', () => {
  const small = [rawNode('n1'), rawService('web'), rawSlice('web', [])];

  it('waits for a file, and for its folder', async () => {
    await using home = await folder();
    const below = join(home.path, 'later');
    await using cluster = fileCluster(join(below, 'cluster.json'), 5);
    await until(cluster, (snapshot) => troubles(snapshot).includes('ENOENT'));
    expect(cluster.snapshot().complete).to.equal(false);
    await mkdir(below);
    await writeFile(join(below, 'cluster.json'), text(small, 'json'));
    const { services, feeds } = await until(cluster, ({ complete }) => complete);
    expect(services).to.have.length(1);
    expect(feeds.map(({ trouble }) => trouble)).to.deep.equal([undefined, undefined, undefined]);
  });

  const broken: readonly { name: string; content: string; says: RegExp }[] = [
    { name: 'half of a JSON file', content: '{\n  "items": [\n', says: /line 3, column 1/ },
    {
      name: 'a JSON file with a typo',
      content: '{\n  "items": [] "a": 1\n}\n',
      says: /line 2, column 15: Expected ','/,
    },
    { name: 'a JSON file with an unknown word', content: '{\n  "items": nul\n}\n', says: /"items": nul/ },
    { name: 'a YAML file that is none', content: 'items:\n  - a: [1\n  - b\n', says: /line \d+, column \d+/ },
    { name: 'an empty file', content: '', says: /it is empty/ },
    { name: 'a word', content: 'hello', says: /holds no Kubernetes objects/ },
    { name: 'items that are no list', content: '{"items": 7}', says: /"items" is no list/ },
  ];
  for (const { name, content, says } of broken) {
    it(`keeps the last good state when it finds ${name}, and says where`, async () => {
      await using home = await folder();
      const path = join(home.path, 'cluster.json');
      await writeFile(path, text(small, 'json'));
      await using cluster = fileCluster(path, 5);
      const before = await until(cluster, ({ complete }) => complete);
      await writeFile(path, content);
      // Written in place, an empty moment can be seen before the content.
      const after = await until(cluster, (snapshot) => says.test(troubles(snapshot)));
      expect(after.services).to.equal(before.services);
      expect(after.complete).to.equal(true);
      expect(troubles(after)).to.contain(path);
      await writeFile(path, text(small, 'json'));
      await until(cluster, (snapshot) => troubles(snapshot).trim() === '');
    });
  }

  it('keeps the state when the file goes away', async () => {
    await using home = await folder();
    const path = join(home.path, 'cluster.json');
    await writeFile(path, text(small, 'json'));
    await using cluster = fileCluster(path, 5);
    const before = await until(cluster, ({ complete }) => complete);
    await rm(path);
    const after = await until(cluster, (snapshot) => troubles(snapshot).includes('cannot be read'));
    expect(after.nodes).to.equal(before.nodes);
  });

  it('takes a file that was moved away and back for what it was', async () => {
    await using home = await folder();
    const path = join(home.path, 'cluster.json');
    await writeFile(path, text(small, 'json'));
    await using cluster = fileCluster(path, 5);
    await until(cluster, ({ complete }) => complete);
    await rename(path, `${path}.away`);
    await until(cluster, (snapshot) => troubles(snapshot).includes('cannot be read'));
    await rename(`${path}.away`, path);
    await until(cluster, (snapshot) => troubles(snapshot).trim() === '');
  });

  it('follows the file into a folder that was made anew', async () => {
    await using home = await folder();
    const below = join(home.path, 'below');
    const path = join(below, 'cluster.json');
    await mkdir(below);
    await writeFile(path, text(small, 'json'));
    await using cluster = fileCluster(path, 5);
    await until(cluster, ({ complete }) => complete);
    await rm(below, { recursive: true });
    await until(cluster, (snapshot) => troubles(snapshot).includes('ENOENT'));
    await mkdir(below);
    await writeFile(path, text([...small, rawService('new')], 'json'));
    await until(cluster, ({ services }) => services.length === 2);
  });

  it('takes a kind that is not in the file for unknown, never for empty', async () => {
    await using home = await folder();
    const path = join(home.path, 'cluster.json');
    await writeFile(path, text([rawService('web'), rawSlice('web', [])], 'json'));
    await using cluster = fileCluster(path, 5);
    const { complete, feeds } = await until(cluster, ({ services }) => services.length === 1);
    expect(complete).to.equal(false);
    expect(feeds[2]).to.include({ resource: 'nodes', synced: false });
    expect(feeds[2]?.trouble).to.match(
      /has no Node; write it with: kubectl get services,endpointslices,nodes -A/,
    );
    await writeFile(path, text(small, 'json'));
    await until(cluster, (snapshot) => snapshot.complete);
    await writeFile(path, text(small.slice(1), 'json'));
    const after = await until(cluster, (snapshot) => troubles(snapshot).includes('has no Node'));
    expect(after.nodes).to.have.length(1);
  });

  it('reads several YAML documents and single objects', async () => {
    await using home = await folder();
    const path = join(home.path, 'cluster.yaml');
    await writeFile(path, small.map((object) => `---\n${stringify(object)}`).join(''));
    await using cluster = fileCluster(path, 5);
    await until(cluster, ({ complete }) => complete);
  });
});
