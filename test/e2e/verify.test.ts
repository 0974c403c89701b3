// A published product is proven again later: bit rot is found, named and placed; a restored product is whole again.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  mkdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Verification } from '../../src/contracts/http-verify.js';
import { startCli } from '../support/cli.js';
import { tree, volume, writeStack } from '../support/data.js';
import { sendDirectory } from '../support/send.js';
import { Stack } from '../support/stack.js';

const MAIN = join(process.cwd(), 'dist/src/cli/main.js');
let stack: Stack;
let uuid: string;
let product: string;
beforeAll(async () => {
  stack = await Stack.start({ SLUICE_QUIET_MS: '300' });
  const files = join(stack.home, 'files');
  mkdirSync(files);
  uuid = (await sendDirectory(stack.apiUrl, writeStack(join(files, 'stack'), volume(70, 60, 40)))).uuid;
  await stack.settled(uuid);
  product = join(stack.out, uuid);
}, 120_000);
afterAll(async () => await stack.close(), 60_000);

async function verify(of = uuid): Promise<{ code: number | null; err: string; job: Verification }> {
  const child = spawn(process.execPath, [MAIN, 'verify', of, '--json'], {
    env: { ...process.env, NODE_OPTIONS: '', SLUICE_HOME: stack.home, SLUICE_URL: stack.apiUrl },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const texts = { out: '', err: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    texts.out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    texts.err += text;
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, err: texts.err, job: JSON.parse(texts.out.trimEnd().split('\n').at(-1) ?? '') };
}

const shown = async () =>
  (await (await fetch(`${stack.apiUrl}/api/v1/datasets/${uuid}`)).json()) as Record<string, unknown>;

/** Paths of files, without the directories. */
const filesOf = (directory: string): string[] =>
  tree(directory).filter((path) => statSync(join(directory, path)).isFile());

const sums = (directory: string, list: string): string =>
  spawnSync('sha256sum', ['-c', '--quiet', '--strict', list], { cwd: directory, encoding: 'utf8' }).stderr +
  `${readFileSync(join(directory, list), 'utf8').trimEnd().split('\n').length} files`;

test('provenance names inputs with origin, programs with versions, agents and times; sha256sum agrees', () => {
  const crate = JSON.parse(readFileSync(join(product, 'ro-crate-metadata.json'), 'utf8'));
  const graph = crate['@graph'] as Record<string, unknown>[];
  const byId = new Map(graph.map((entity) => [entity['@id'], entity]));
  expect(byId.size).toBe(graph.length);
  const action = byId.get('#conversion') as { object: { '@id': string }[]; instrument: { '@id': string } };
  const inputs = action.object.map((ref) => byId.get(ref['@id'])) as Record<string, unknown>[];
  expect(inputs).toHaveLength(40);
  for (const file of inputs) {
    expect(file).toMatchObject({
      '@type': 'File',
      sha256: expect.any(String),
      contentSize: expect.any(String),
    });
    const origin = byId.get((file['isBasedOn'] as { '@id': string })['@id']);
    expect(origin).toMatchObject({ name: 'files sent by the client', additionalType: 'received' });
  }
  expect(byId.get('#conversion')).toMatchObject({
    startTime: expect.any(String),
    endTime: expect.any(String),
    agent: { '@id': expect.stringMatching(/^mailto:/) },
  });
  expect(byId.get(action.instrument['@id'])).toMatchObject({ name: 'Sluice tiff', softwareVersion: '0.1.0' });
  expect(byId.get('#library-OpenVisusNoGui')).toMatchObject({
    softwareVersion: expect.stringMatching(/^2\./),
  });
  expect(byId.get('#validation')).toMatchObject({ result: { '@id': 'sluice/validation.json' } });
  const { hasPart } = byId.get('./') as { hasPart: { '@id': string }[] };
  const parts = hasPart.map((ref) => byId.get(ref['@id']));
  expect(parts.every((part) => part?.['sha256'] !== undefined)).toBe(true);
  // Every reference leads to an entity of the crate.
  const refs = [...JSON.stringify(graph).matchAll(/\{"@id":"([^"]+)"\}/g)].map(([, id]) => id);
  expect(refs.filter((id) => !byId.has(id) && !id?.startsWith('https://'))).toEqual([]);
  expect(sums(product, 'manifest-sha256.txt')).toBe(`${filesOf(product).length - 2} files`);
});

test('the product comes as a bag that sha256sum accepts', async () => {
  const bags = join(stack.home, 'bags');
  mkdirSync(bags);
  const answer = await fetch(`${stack.apiUrl}/api/v1/datasets/${uuid}/bag`);
  expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-tar']);
  writeFileSync(join(bags, 'bag.tar'), Buffer.from(await answer.arrayBuffer()));
  expect(spawnSync('tar', ['-xf', 'bag.tar'], { cwd: bags }).status).toBe(0);
  const bag = join(bags, uuid);
  expect(readFileSync(join(bag, 'bagit.txt'), 'utf8')).toBe(
    'BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n',
  );
  expect(filesOf(join(bag, 'data'))).toEqual(filesOf(product));
  expect(sums(bag, 'manifest-sha256.txt')).toBe(`${filesOf(product).length} files`);
  expect(sums(bag, 'tagmanifest-sha256.txt')).toBe('3 files');
  const bytes = filesOf(product).reduce((sum, path) => sum + statSync(join(product, path)).size, 0);
  expect(readFileSync(join(bag, 'bag-info.txt'), 'utf8')).toContain(
    `Payload-Oxum: ${bytes}.${filesOf(product).length}\n`,
  );
  const etag = answer.headers.get('etag') ?? '';
  const again = await fetch(`${stack.apiUrl}/api/v1/datasets/${uuid}/bag`, {
    headers: { 'if-none-match': etag },
  });
  expect(again.status).toBe(304);
});

test('a whole product is proven again; one flipped byte is found in its file and box; restored, it is whole', async () => {
  const first = await verify();
  expect([first.code, first.job.status, first.job.result?.outcome]).toEqual([0, 'completed', 'whole']);
  expect(first.job.result).toMatchObject({ damaged: 0, added: [], proof: { complete: true, different: 0 } });
  expect(await shown()).toMatchObject({ verified: 'whole', verified_at: first.job.completed_at });
  expect(await stack.history(`job:${first.job.job_id}`)).toEqual(['running', 'completed']);
  const byJob = `${stack.apiUrl}/api/v1/jobs/${first.job.job_id}`;
  expect(await (await fetch(byJob)).json()).toEqual(first.job);
  const refused = async (verb: string) => (await fetch(`${byJob}/${verb}`, { method: 'POST' })).status;
  expect([await refused('cancel'), await refused('pause')]).toEqual([409, 409]);
  expect((await fetch(`${byJob.slice(0, -1)}_`)).status).toBe(404);
  const shownJob = await startCli(['jobs', 'show', first.job.job_id], {
    SLUICE_HOME: stack.home,
    SLUICE_URL: stack.apiUrl,
  }).ended;
  expect([shownJob.code, shownJob.out]).toEqual([
    0,
    expect.stringMatching(/status +completed, 100%[\s\S]*outcome +whole/),
  ]);

  const [block = ''] = tree(product).filter((path) => path.endsWith('.bin'));
  const path = join(product, block);
  const content = readFileSync(path);
  const flipped = Buffer.from(content);
  const at = flipped.length - 1000;
  flipped[at] = (flipped[at] ?? 0) ^ 0x01;
  writeFileSync(path, flipped);
  const second = await verify();
  expect([second.code, second.job.status]).toEqual([1, 'failed']);
  expect(second.job.failure).toMatchObject({ code: 'product_damaged', blame: 'content' });
  expect(second.job.result?.damagedFiles).toEqual([
    expect.objectContaining({ path: block, problem: 'changed' }),
  ]);
  const { differences } = (second.job.result?.proof ?? {}) as {
    differences: { field: string; box: number[][] }[];
  };
  expect(differences[0]).toMatchObject({ field: 'data', box: [expect.any(Array), expect.any(Array)] });
  expect(second.err).toContain(block);
  expect(await shown()).toMatchObject({ status: 'done', verified: 'damaged' });

  writeFileSync(path, content);
  expect((await verify()).code).toBe(0);
  expect(await shown()).toMatchObject({ verified: 'whole' });
}, 120_000);

test('a file that is gone, a list that was changed, and a file that was added', async () => {
  const index = join(product, 'metadata.json');
  renameSync(index, join(stack.home, 'kept'));
  writeFileSync(join(product, 'note.txt'), 'mine');
  const lost = await verify();
  expect([lost.code, lost.job.result?.damagedFiles]).toEqual([
    1,
    [expect.objectContaining({ path: 'metadata.json', problem: 'missing', found: null })],
  ]);
  expect(lost.job.result?.added).toEqual(['note.txt']);
  renameSync(join(stack.home, 'kept'), index);

  const list = join(product, 'manifest-sha256.txt');
  const lines = readFileSync(list);
  writeFileSync(list, Buffer.concat([lines, Buffer.from('\n')]));
  expect((await verify()).job.result?.damagedFiles).toMatchObject([{ path: 'manifest-sha256.txt' }]);
  writeFileSync(list, lines);
  const manifest = join(product, 'manifest.json');
  const kept = readFileSync(manifest);
  writeFileSync(manifest, '{"version":1,"files":[]}');
  expect((await verify()).job.result?.damagedFiles).toMatchObject([{ path: 'manifest.json' }]);
  writeFileSync(manifest, kept);
  expect((await verify()).code).toBe(0);
}, 120_000);

test('a product whose directory is gone, or emptied, is damaged, and the dataset says so', async () => {
  const version = realpathSync(product);
  const kept = join(stack.home, 'kept product');
  renameSync(version, kept);
  const gone = await verify();
  expect([gone.code, gone.job.failure?.code]).toEqual([1, 'product_damaged']);
  expect(gone.job.result).toMatchObject({ outcome: 'damaged', damagedFiles: [{ path: 'manifest.json' }] });
  expect(gone.err).toContain('The directory of the published product is gone.');
  expect(await shown()).toMatchObject({ verified: 'damaged', verified_at: gone.job.completed_at });
  mkdirSync(version);
  const empty = await verify();
  expect([empty.code, empty.job.failure?.code]).toEqual([1, 'product_damaged']);
  expect(await shown()).toMatchObject({ verified: 'damaged', verified_at: empty.job.completed_at });
  rmdirSync(version);
  renameSync(kept, version);
  expect((await verify()).code).toBe(0);
  expect(await shown()).toMatchObject({ verified: 'whole' });
}, 120_000);

test('a product of files as they are: a changed file is found by its checksum', async () => {
  const files = join(stack.home, 'as they are');
  mkdirSync(files);
  writeFileSync(join(files, 'a.dat'), 'measured');
  const sent = await sendDirectory(stack.apiUrl, files, { sensor: 'OTHER' });
  await stack.settled(sent.uuid);
  expect((await verify(sent.uuid)).code).toBe(0);
  const path = join(stack.out, sent.uuid, 'a.dat');
  // The product shares its bytes with what was received: a new file, not a change in the old one.
  renameSync(path, join(stack.home, 'measured'));
  writeFileSync(path, 'Measured');
  const { code, job } = await verify(sent.uuid);
  expect([code, job.failure?.code]).toEqual([1, 'product_damaged']);
  expect(job.result?.damagedFiles).toEqual([expect.objectContaining({ path: 'a.dat', problem: 'changed' })]);
}, 60_000);

test('a dataset without a product cannot be verified', async () => {
  const made = await fetch(`${stack.apiUrl}/api/v1/datasets`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'x', sensor: 'OTHER', user_email: 'ada@example.org' }),
  });
  const { uuid: empty } = (await made.json()) as { uuid: string };
  const refused = await fetch(`${stack.apiUrl}/api/v1/datasets/${empty}/verify`, { method: 'POST' });
  expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toEqual([
    409,
    'cannot verify: the dataset has no published product',
  ]);
});
