// The provenance of a product: files that hold the same bytes, names that mean something in an address, who, from where and
// by which parameters; and of a product of very many files, their directory.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { CRATE, type CrateFacts, writeCrate } from '../../src/activities/publish/ro-crate.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-555555555555';

const AT = '2026-11-29T00:00:00Z';
const OWNER = 'ada@example.org';
const input = { uuid: UUID, name: 'n', owner: OWNER, sensor: 'OTHER' };
const files = { version: 1, kind: 'files', entry: null, proof: null, program: null, parameters: {} };
const conversion = { ...files, startedAt: AT, finishedAt: AT, inputs: [], result: {} };
const validation = { version: 1, product: '', at: AT, checked: 2, blocks: 2, preview: null, details: {} };
const origin = (jobId: string, words: string, by = OWNER) => {
  return { jobId, kind: 'url', words, by, startedAt: AT };
};
const file = (path: string, sign: string, size = 4) => ({ path, size, sha256: sign.repeat(64) });

test('each source stands for itself, with the upload that brought it, although others hold its bytes', async () => {
  const same = { size: 4, sha256: 'a'.repeat(64) };
  const paths = ['a/scan #1?.tif', 'b/scan 50%.tif'];
  const inputs = paths.map((path) => ({ path, ...same }));
  const origins = ['up-1', 'up-2'].map((jobId) => origin(jobId, `from ${jobId}`));
  const graph = await written({
    input,
    conversion: { ...conversion, inputs },
    validation,
    origins,
    received: inputs.map((file, number) => ({ ...file, jobId: origins[number]?.jobId })),
    files: inputs,
  });
  const byId = new Map(graph.map((entity) => [entity['@id'], entity]));
  expect(byId.size).toBe(graph.length);
  const action = byId.get('#conversion') as { object: { '@id': string }[] };
  const sources = action.object.map((ref) => byId.get(ref['@id']));
  expect(sources).toMatchObject([
    { name: paths[0], isBasedOn: { '@id': '#origin-up-1' } },
    { name: paths[1], isBasedOn: { '@id': '#origin-up-2' } },
  ]);
  expect(byId.get('a/scan%20%231%3F.tif')).toMatchObject({ '@type': 'File', name: paths[0] });
  expect(byId.get('b/scan%2050%25.tif')).toMatchObject({ '@type': 'File', name: paths[1] });
});

test('who made it from what: a URL, its archive, the parameters, the persons', async () => {
  const words = 'https://data.example.org/scans.zip';
  const graph = await written({
    input: { ...input, sensor: 'TIFF', extracted: {} },
    conversion: {
      ...conversion,
      kind: 'idx',
      entry: 'visus.idx',
      proof: 'sluice/proof.json',
      program: 'tiff',
      parameters: { compression: 'lz4', panels: [{ box: [1, 2] }], columns: 3, 'a b': true },
      inputs: [file('scans/a.tif', 'b')],
    },
    validation,
    origins: [origin('up-1', words, 'bob@example.org')],
    received: [{ ...file('scans.zip', 'c'), jobId: 'up-1', archive: 'zip' }],
    files: [file('visus.idx', 'd')],
  });
  const byId = new Map(graph.map((entity) => [entity['@id'], entity]));
  const at = (id: string) => byId.get(id) ?? {};
  expect(at('#origin-up-1')).toMatchObject({
    '@type': 'CreativeWork',
    additionalType: 'url',
    name: words,
    provider: { '@id': 'mailto:bob@example.org' },
  });
  expect(at('#source/scans.zip')).toMatchObject({ '@type': 'File', isBasedOn: { '@id': '#origin-up-1' } });
  expect(at('#extraction')).toMatchObject({
    object: [{ '@id': '#source/scans.zip' }],
    result: [{ '@id': '#source/scans/a.tif' }],
  });
  const parameters = graph.filter((entity) => entity['@type'] === 'PropertyValue');
  expect(parameters.map(({ name, value }) => [name, value])).toEqual([
    ['compression', 'lz4'],
    ['panels', '[{"box":[1,2]}]'],
    ['columns', 3],
    ['a b', true],
  ]);
  expect(at('#conversion')['object']).toEqual([
    { '@id': '#source/scans/a.tif' },
    ...parameters.map((entity) => ({ '@id': entity['@id'] })),
  ]);
  // What RO-Crate 1.1 asks of the whole: an organisation or a person publishes it, and its licence is an entity.
  const root = at('./') as Record<string, { '@id': string }>;
  for (const role of ['author', 'publisher']) {
    expect(at(root[role]?.['@id'] ?? '')).toMatchObject({ '@type': 'Person', email: OWNER, name: OWNER });
  }
  expect(at('mailto:bob@example.org')).toMatchObject({ '@type': 'Person' });
  expect(at(root['license']?.['@id'] ?? '')).toMatchObject({
    '@type': 'CreativeWork',
    name: 'not stated',
    description: expect.any(String),
  });
  const refs = [...JSON.stringify(graph).matchAll(/\{"@id":"([^"]+)"\}/g)].map(([, id]) => id);
  expect(refs.filter((id) => !byId.has(id) && !id?.startsWith('https://'))).toEqual([
    // Written beside it, and not among the files of this test.
    'sluice/validation.json',
  ]);
});

test('of very many files the entry and the records are told, and the directory of the others', async () => {
  const chunks = Array.from({ length: 1_000 }, (_, at) => file(`data.zarr/0/c/${at}`, 'e', 10));
  const record = file('sluice/conversion.json', 'f');
  const graph = await written({
    input: { ...input, sensor: 'TIFF' },
    conversion: { ...conversion, kind: 'zarr', entry: 'data.zarr', program: 'tiff' },
    validation,
    origins: [],
    received: [],
    files: [...chunks, file('data.zarr/zarr.json', '0', 7), record],
  });
  const byId = new Map(graph.map((entity) => [entity['@id'], entity]));
  const { hasPart } = byId.get('./') as { hasPart: unknown[] };
  expect(hasPart).toEqual([{ '@id': record.path }, { '@id': 'data.zarr/' }]);
  expect(byId.get('data.zarr/')).toMatchObject({
    '@type': 'Dataset',
    name: 'data.zarr/',
    description: '1001 files of 10007 bytes; manifest-sha256.txt lists them.',
  });
});

async function written(facts: unknown): Promise<Readonly<Record<string, unknown>>[]> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-crate-'));
  try {
    await writeCrate(directory, facts as CrateFacts);
    const crate = JSON.parse(readFileSync(join(directory, CRATE), 'utf8'));
    const terms = { sha256: 'http://schema.org/sha256' };
    expect(crate['@context']).toEqual(['https://w3id.org/ro/crate/1.1/context', terms]);
    return crate['@graph'];
  } finally {
    rmSync(directory, { recursive: true });
  }
}
