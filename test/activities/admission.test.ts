// What a pull turns out to be counts before it is moved, on a real database: two at once cannot exceed what their owner may have.
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { type Admit, createAdmission } from '../../src/activities/support/admission.js';
import type { ProgressReport } from '../../src/activities/support/heartbeat.js';
import { newUploadJob } from '../../src/api/records.js';
import type { UrlSource } from '../../src/domain/source.js';
import { insertJob } from '../../src/store/jobs.js';
import { changeLimits } from '../../src/store/limits.js';
import { openStore, type Store } from '../../src/store/mongo.js';
import { writeUploadProgress } from '../../src/store/progress.js';
import { Bench, failure, MIB, someBytes, UUID } from '../contract/sources/bench.js';
import { type Behaviour, type FaultServer, startFaultServer } from '../support/fault-server.js';

const ADA = 'ada@example.org';
const content = someBytes(12 * MIB);
let store: Store;
let bench: Bench;
let server: FaultServer;
let admit: Admit;
beforeAll(() => {
  store = openStore(process.env['SLUICE_TEST_MONGO'] ?? '', `admission_${randomBytes(4).toString('hex')}`);
});
beforeEach(async () => {
  await store.db.dropDatabase();
  bench = await Bench.open({ backOffMs: 10 });
  admit = createAdmission({ store, settings: {}, log: () => undefined });
  bench.extend({ admit });
});
afterEach(async () => {
  await server.close();
  await bench.close();
});
afterAll(async () => {
  await store.db.dropDatabase();
  await store.client.close();
});

async function serve(more: Partial<Behaviour>): Promise<UrlSource> {
  server = await startFaultServer({ content, etag: '"v1"', ...more });
  return { kind: 'url', url: `${server.origin}/f.bin`, sealed: false };
}

/** The row that the API made before anything was known. */
async function record(jobId: string, source: UrlSource): Promise<void> {
  const order = { jobId, source, seal: true, by: ADA };
  const holder = 'an API';
  await insertJob(store, newUploadJob({ order, uuid: UUID, owner: ADA, source: 'a url', bytes: 0, holder }));
}

const sent = (): number => server.heard.reduce((sum, one) => sum + one.sent, 0);
const mayHave = (bytes: number) => changeLimits(store, `owner:${ADA}`, { stored_bytes: bytes }, 'ops');

test('more than there is room for: refused when its size is known, and taken when there is room', async () => {
  const source = await serve({ pace: MIB });
  const jobId = 'upload_1_0000000a';
  await record(jobId, source);
  await mayHave(content.length - 1);
  const refused = bench.run(source, { jobId });
  await expect(refused).rejects.toEqual(failure('quota_reached'));
  await expect(refused).rejects.toMatchObject({ message: expect.stringContaining(`${content.length - 1}`) });
  // What was under way with the first answer.
  expect(sent()).toBeLessThan(MIB);
  await bench.proveEmptyStaging();
  await mayHave(content.length);
  server.behaviour.pace = 1_000 * MIB;
  await bench.prove(await bench.run(source, { jobId }), { 'f.bin': content });
  expect(await store.jobs.findOne({ job_id: jobId })).toMatchObject({ bytes_total: content.length });
});

test('of several at once so many are let in as have room together; each only once', async () => {
  const source = await serve({});
  await mayHave(2.5 * content.length);
  const jobs = [1, 2, 3, 4, 5].map((number) => `upload_1_0000000${number}`);
  await Promise.all(jobs.map((jobId) => record(jobId, source)));
  const other = createAdmission({ store, settings: {}, log: () => undefined });
  const ask = (jobId: string, at: number) =>
    (at % 2 === 0 ? admit : other)({ jobId, owner: ADA }, content.length).then(
      () => jobId,
      () => undefined,
    );
  const admitted = (await Promise.all(jobs.map(ask))).filter((jobId) => jobId !== undefined);
  expect(admitted).toHaveLength(2);
  // Later attempts of those that are in ask again.
  expect((await Promise.all(jobs.map(ask))).filter((jobId) => jobId !== undefined)).toEqual(admitted);
});

test('a source that tells no size is looked at when it is whole, and then not asked again', async () => {
  const source = await serve({ ranges: false, tellsLength: false });
  const jobId = 'upload_1_0000000a';
  // Also when what it moved was shown meanwhile.
  let last: ProgressReport | undefined;
  bench.extend({
    progress: {
      report(progress) {
        last = progress;
      },
    },
    admit: async (...asked) => {
      if (last !== undefined)
        await writeUploadProgress(store, jobId, { ...last, at: new Date() }, 'a worker');
      await admit(...asked);
    },
  });
  await record(jobId, source);
  await mayHave(MIB);
  await expect(bench.run(source, { jobId })).rejects.toEqual(failure('quota_reached'));
  await mayHave(100 * MIB);
  const before = sent();
  await bench.prove(await bench.run(source, { jobId }), { 'f.bin': content });
  expect(sent()).toBe(before);
});

test('without a database nothing is refused', async () => {
  const source = await serve({});
  const closed = openStore('mongodb://127.0.0.1:1/?serverSelectionTimeoutMS=200', 'none');
  bench.extend({ admit: createAdmission({ store: closed, settings: {}, log: () => undefined }) });
  await bench.prove(await bench.run(source), { 'f.bin': content });
  await closed.client.close();
});
