// The provenance of a product: files that hold the same bytes, and names that mean something in an address.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { CRATE, type CrateFacts, writeCrate } from '../../src/activities/publish/ro-crate.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-555555555555';

test('each source stands for itself, with the upload that brought it, although others hold its bytes', async () => {
  const same = { size: 4, sha256: 'a'.repeat(64) };
  const paths = ['a/scan #1?.tif', 'b/scan 50%.tif'];
  const inputs = paths.map((path) => ({ path, ...same }));
  const origins = ['up-1', 'up-2'].map((jobId) => ({
    jobId,
    kind: 'url',
    words: `from ${jobId}`,
    by: 'ada@example.org',
    startedAt: '2026-11-29T00:00:00Z',
  }));
  const at = '2026-11-29T00:00:00Z';
  const conversion = { version: 1, kind: 'files', entry: null, proof: null, program: null, parameters: {} };
  const graph = await written({
    input: { uuid: UUID, name: 'n', owner: 'ada@example.org', sensor: 'OTHER' },
    conversion: { ...conversion, startedAt: at, finishedAt: at, inputs, result: {} },
    validation: { version: 1, product: '', at, checked: 2, blocks: 2, preview: null, details: {} },
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

async function written(facts: unknown): Promise<Readonly<Record<string, unknown>>[]> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-crate-'));
  try {
    await writeCrate(directory, facts as CrateFacts);
    return JSON.parse(readFileSync(join(directory, CRATE), 'utf8'))['@graph'];
  } finally {
    rmSync(directory, { recursive: true });
  }
}
