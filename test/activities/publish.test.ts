// Publishing over what an older system left where the product is to be seen.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createPublishActivities } from '../../src/activities/publish/index.js';
import type { StageDeps } from '../../src/activities/support/deps.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-444444444444';
const NAME = 'a'.repeat(32);
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-publish-'));
});
afterEach(() => rm(dir, { recursive: true, force: true }));

test('a second old directory becomes a version of its own, too', async () => {
  const out = join(dir, 'out');
  const write = async (path: string, content: string): Promise<void> => {
    await mkdir(dirname(join(out, path)), { recursive: true });
    await writeFile(join(out, path), content);
  };
  const version = `.versions/${UUID}/${NAME}`;
  await write(`${version}/manifest.json`, JSON.stringify({ version: 1, files: [] }));
  await write(`${version}/sluice/conversion.json`, JSON.stringify({ kind: 'files', entry: null }));
  await write(`${version}/sluice/validation.json`, JSON.stringify({ preview: null, checked: 0, blocks: 0 }));
  await write(`.versions/${UUID}/before-sluice/first`, '1');
  await write(`${UUID}/second`, '2');
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const deps = { roots: { in: join(dir, 'in'), out }, progress: { report: () => undefined } };
  const { publishProduct } = createPublishActivities(deps as unknown as StageDeps);
  const product = { store: 'out', key: 'gone', size: 1, digest: 'a'.repeat(64) } as const;
  await env.run(publishProduct, {
    uuid: UUID,
    product,
    name: 'n',
    owner: 'o@example.org',
    sensor: 'OTHER',
  } as never);
  expect(await readlink(join(out, UUID))).toBe(version);
  const others = (await readdir(join(out, '.versions', UUID))).filter((one) => one !== NAME).sort();
  expect(others).toEqual(['before-sluice', 'before-sluice-2']);
  expect(existsSync(join(out, '.versions', UUID, 'before-sluice/first'))).toBe(true);
  expect(await readFile(join(out, '.versions', UUID, 'before-sluice-2/second'), 'utf8')).toBe('2');
});
