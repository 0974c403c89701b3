// docs/openapi.json is what the routes say. To renew it: SLUICE_RENEW_OPENAPI=1 npm test -- openapi
import { readFile, writeFile } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Harness, startHarness } from './support/harness.js';
import { get } from './support/http.js';

const FILE = new URL('../../docs/openapi.json', import.meta.url);
let at: Harness;
beforeAll(async () => {
  at = await startHarness('openapi');
});
afterAll(async () => await at.close());

test('the committed description is the one that is served', async () => {
  const { body } = await get(`${at.url}/openapi.json`);
  if (process.env.SLUICE_RENEW_OPENAPI === '1') await writeFile(FILE, `${JSON.stringify(body, null, 2)}\n`);
  expect(JSON.parse(await readFile(FILE, 'utf8'))).toEqual(body);
  expect(body.openapi).toBe('3.1.0');
  expect(Object.keys(body.paths)).toEqual(
    expect.arrayContaining([
      '/api/v1/uploads',
      '/api/v1/datasets/{uuid}',
      '/api/upload/local/upload',
      '/readyz',
    ]),
  );
});
