// Bench small-datasets: many small datasets at once through a whole Sluice, from their upload to the published product.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { datasetWorkflowId } from '../src/domain/ids.js';
import { type BenchOptions, cpuTime, type Findings, packageVersions } from './harness.js';
import { sendForm } from './send.js';
import { writeSmallFiles } from './small-files.js';
import { type Stack, withStack } from './stack.js';
import { figure, timed } from './stats.js';

const RUNS = 7;
const DATASETS = 20;
const SENDERS = 4;

export async function smallDatasets({ runs = RUNS, say }: BenchOptions): Promise<Findings> {
  return await withStack(say, async (stack) => {
    await writeSmallFiles(stack, say);
    const content = readFileSync(join(stack.home, 'volume.tif'));
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
