// The resumable sender against the API: uploads that are gone, parts that are damaged, a server that never answers.
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createClient, type SluiceClient } from '../../src/client/client.js';
import { type ResumableOptions, sendResumable } from '../../src/client/resumable.js';
import type { TusCalls } from '../../src/client/tus.js';
import { someBytes } from '../contract/sources/bench.js';
import { type Harness, startHarness } from './support/harness.js';

const MIB = 1024 * 1024;
let at: Harness;
let client: SluiceClient;
beforeAll(async () => {
  at = await startHarness('resumable');
  client = createClient(at.url);
});
afterAll(async () => {
  await client.close();
  await at.close();
});

const bytes = someBytes(20 * MIB);
const file = {
  size: bytes.length,
  async *read(from: number, to: number) {
    for (let place = from; place < to; place += MIB)
      yield await Promise.resolve(bytes.subarray(place, Math.min(place + MIB, to)));
  },
};

async function optionsFor(more: Partial<ResumableOptions> = {}): Promise<ResumableOptions> {
  const made = { name: 'sent', sensor: 'OTHER', user_email: 'ada@example.org' } as const;
  const { uuid: dataset } = await client.datasets.create(made);
  return {
    calls: () => client.tus,
    metadata: (replaces) => ({
      dataset,
      seal: 'false',
      filename: 'a.bin',
      relativePath: 'dir/a.bin',
      ...(replaces === undefined ? {} : { replaces }),
    }),
    key: randomUUID(),
    pauseMs: 1,
    ...more,
  };
}

const staged = (job: string): Buffer =>
  readFileSync(join(at.config.dirs.in, '.staging', job, 'files/dir/a.bin'));

test('an upload that is gone is begun anew in its place, once', async () => {
  const options = await optionsFor();
  const metadata = options.metadata(undefined);
  const [gone, other] = [
    await client.tus.create(file.size, metadata, randomUUID()),
    await client.tus.create(file.size, metadata, randomUUID()),
  ];
  await fetch(`${at.url}/files/${gone.job_id}`, {
    method: 'DELETE',
    headers: { 'tus-resumable': '1.0.0' },
  });
  await expect(client.tus.offset(gone.job_id)).rejects.toMatchObject({ status: 410 });
  const begun: string[] = [];
  const job = await sendResumable(file, {
    ...options,
    begun: gone.job_id,
    onBegun: ({ job_id }) => void begun.push(job_id),
  });
  expect(begun).toEqual([job]);
  expect([gone.job_id, other.job_id]).not.toContain(job);
  expect(staged(job).equals(bytes)).toBe(true);
  const row = await at.store.jobs.findOne({ job_id: job });
  expect(JSON.stringify(row?.parameters)).toContain(`"replaces":"${gone.job_id}"`);
});

test('a part that was damaged on its way is refused by its checksum and sent again', async () => {
  let damaged = 0;
  const calls: TusCalls = {
    ...client.tus,
    send: (job, part, signal) => {
      if (part.offset === 0 || part.length === 0 || damaged > 0) return client.tus.send(job, part, signal);
      damaged += 1;
      const content = (async function* () {
        let isFirst = true;
        for await (const piece of part.content) {
          const copy = Buffer.from(piece);
          if (isFirst) copy[0] = (copy[0] ?? 0) ^ 1;
          isFirst = false;
          yield copy;
        }
      })();
      return client.tus.send(job, { ...part, content }, signal);
    },
  };
  const waits: unknown[] = [];
  const job = await sendResumable(
    file,
    await optionsFor({ calls: () => calls, onWait: (error) => void waits.push(error) }),
  );
  expect(waits).toEqual([expect.objectContaining({ status: 460, code: 'part_mismatch' })]);
  expect(staged(job).equals(bytes)).toBe(true);
});

test('it gives up after so many tries without a new byte, and a new byte makes it count anew', async () => {
  const away = createClient('http://127.0.0.1:1');
  let waits = 0;
  const count = (): void => {
    waits += 1;
  };
  const nowhere = await optionsFor({ calls: () => away.tus, tries: 4, onWait: count });
  await expect(sendResumable(file, nowhere)).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  expect(waits).toBe(3);
  await away.close();
  // Every other request fails: with two tries in a row it still comes to its end.
  let asked = 0;
  const calls: TusCalls = {
    ...client.tus,
    send: (job, part, signal) => {
      if (part.length > 0 && asked++ % 2 === 0)
        return Promise.reject(Object.assign(new Error('cut'), { code: 'ECONNRESET' }));
      return client.tus.send(job, part, signal);
    },
  };
  const job = await sendResumable(
    file,
    await optionsFor({ calls: () => calls, tries: 2, partBytes: 2 * MIB }),
  );
  expect(asked).toBeGreaterThan(4);
  expect(staged(job).equals(bytes)).toBe(true);
});

test('what is refused, and a file that cannot be read, is not tried again', async () => {
  const waits: unknown[] = [];
  const options = await optionsFor({ onWait: (error) => void waits.push(error) });
  const unknown = {
    ...options,
    key: randomUUID(),
    metadata: () => ({ dataset: randomUUID(), filename: 'a' }),
  };
  await expect(sendResumable(file, unknown)).rejects.toMatchObject({ status: 404 });
  const broken = {
    size: file.size,
    // biome-ignore lint/correctness/useYield: it fails before
    async *read(): AsyncGenerator<Uint8Array> {
      await Promise.reject(new Error('it changed'));
    },
  };
  await expect(sendResumable(broken, options)).rejects.toThrow('it changed');
  expect(waits).toEqual([]);
});
