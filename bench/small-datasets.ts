// Bench small-datasets: many small datasets at once through a whole Sluice, from their upload to the published product.
import { randomBytes } from 'node:crypto';
import { datasetWorkflowId } from '../src/domain/ids.js';
import { type BenchOptions, cpuTime, type Findings, packageVersions } from './harness.js';
import { sendForm } from './send.js';
import { type Stack, withStack } from './stack.js';
import { figure, timed } from './stats.js';

const RUNS = 7;
const DATASETS = 20;
const SIDE = 128;
const SLICES = 32;
const SENDERS = 4;

export async function smallDatasets({ runs = RUNS, say }: BenchOptions): Promise<Findings> {
  return await withStack(say, async (stack) => {
    const content = volume();
    const speeds: number[] = [];
    const work: number[] = [];
    // The first round warms up and is not counted.
    for (let round = 0; round <= runs; round += 1) {
      const before = await cpuSeconds(stack);
      const ms = await timed(() => publishAll(stack, content));
      speeds.push(DATASETS / (ms / 1000));
      work.push(((await cpuSeconds(stack)) - before) / DATASETS);
      say(`round ${round}`);
    }
    return {
      comparisons: [],
      figures: [
        figure(`${DATASETS} datasets of 1 MiB at once`, 'a second', speeds.slice(1)),
        figure('processor time of the servers, API and worker, without the converters', 's', work.slice(1)),
      ],
      notes: [
        'From the first request to the last published product: upload by form, digest, conversion of a TIFF volume to IDX, full proof, pictures, provenance, publication. At least 1 a second is wanted.',
      ],
      versions: { ...stack.versions, ...packageVersions('@temporalio/worker', 'mongodb', 'hono') },
    };
  });
}

async function publishAll(stack: Stack, content: Buffer): Promise<void> {
  let left = DATASETS;
  const sender = async (): Promise<string[]> => {
    const uuids: string[] = [];
    while (left-- > 0) uuids.push(await send(stack, content));
    return uuids;
  };
  const sent = await Promise.all(Array.from({ length: SENDERS }, sender));
  const published = sent
    .flat()
    .map((uuid) => stack.client.workflow.getHandle(datasetWorkflowId(uuid)).result());
  await Promise.all(published);
}

async function send({ api }: Stack, content: Buffer): Promise<string> {
  const fields = { user_email: 'ada@example.org', sensor: 'TIFF', name: 'a bench' };
  const sent = await sendForm(api.port, '/api/v1/uploads', { fields, fileName: 'volume.tif', content });
  if (sent.status >= 300) throw new Error(`the upload was answered ${sent.status}: ${sent.body}`);
  return (JSON.parse(sent.body) as { dataset_uuid: string }).dataset_uuid;
}

async function cpuSeconds({ pids, api, worker }: Stack): Promise<number> {
  const times = await Promise.all([...pids, api.daemon.pid, worker.pid].map(cpuTime));
  return times.reduce((sum, ms) => sum + ms, 0) / 1000;
}

/** A TIFF of pages of 16-bit values, uncompressed: one directory a page, each right before its pixels. */
function volume(): Buffer {
  const bytes = SIDE * SIDE * 2;
  const tags: readonly (readonly [number, number, number])[] = [
    [256, 3, SIDE],
    [257, 3, SIDE],
    [258, 3, 16],
    [259, 3, 1],
    [262, 3, 1],
    [273, 4, 0],
    [277, 3, 1],
    [278, 3, SIDE],
    [279, 4, bytes],
  ];
  const directory = 2 + tags.length * 12 + 4;
  const page = directory + bytes;
  const file = Buffer.alloc(8 + SLICES * page);
  file.write('II*\0', 'latin1');
  file.writeUInt32LE(8, 4);
  for (let z = 0; z < SLICES; z += 1) {
    const at = 8 + z * page;
    file.writeUInt16LE(tags.length, at);
    tags.forEach(([tag, type, value], i) => {
      const entry = at + 2 + i * 12;
      file.writeUInt16LE(tag, entry);
      file.writeUInt16LE(type, entry + 2);
      file.writeUInt32LE(1, entry + 4);
      file.writeUInt32LE(tag === 273 ? at + directory : value, entry + 8);
    });
    file.writeUInt32LE(z + 1 < SLICES ? at + page : 0, at + directory - 4);
    randomBytes(bytes).copy(file, at + directory);
  }
  return file;
}
