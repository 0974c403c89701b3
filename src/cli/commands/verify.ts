// sluice verify: proves a published dataset again, and says what is not as it was published.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import type { Verification } from '../../contracts/http-verify.js';
import { EXIT, EXIT_OF_BLAME, type ExitCode } from '../exit.js';
import type { Io } from '../io.js';
import type { Server } from '../server.js';
import { resolveDataset, withServer } from '../with-server.js';
import { pairs } from '../words.js';

const ASK_MS = 500;
const SAY_MS = 5_000;

export function registerVerify(program: Command): void {
  program
    .command('verify <dataset>')
    .description('prove a published dataset again: its files, and blocks against their source')
    .option('--json', 'one JSON object')
    .action((text: string, { json }: { json?: boolean }) =>
      withServer(async (server, io) => {
        const uuid = await resolveDataset(server, text);
        const found = await follow(server, io, uuid);
        print(io, found, json === true);
        process.exitCode = exitCodeOf(found);
      }),
    );
}

/** Ctrl-C cancels it: nobody else waits for it. */
async function follow(server: Server, io: Io, uuid: string): Promise<Verification> {
  let job = await server.call((client) => client.datasets.verify(uuid));
  if (job.notice !== undefined) io.err(`sluice: ${job.notice}`);
  const cancel = (): void => {
    void server.call((client) => client.datasets.cancelVerification(uuid, job.job_id)).catch(() => undefined);
  };
  process.once('SIGINT', cancel);
  let saidAt = Date.now();
  while (job.status === 'pending' || job.status === 'running') {
    await sleep(ASK_MS);
    job = await server.patient((client) => client.datasets.verification(uuid, job.job_id));
    if (Date.now() - saidAt < SAY_MS) continue;
    saidAt = Date.now();
    const file = job.current_file === null ? '' : `, ${job.current_file}`;
    io.err(`sluice: verifying, ${Math.floor(job.progress_percentage)}%${file}`);
  }
  process.removeListener('SIGINT', cancel);
  return job;
}

function print(io: Io, job: Verification, json: boolean): void {
  const { failure } = job;
  if (json) io.out(JSON.stringify(job));
  if (failure !== null) {
    io.err(`sluice: ${failure.say} (${failure.code})`);
    io.err(`  do:    ${failure.remedy}`);
  } else if (job.status === 'cancelled') io.err('sluice: it was cancelled');
  if (json || job.result === null) return;
  for (const line of [...foundLines(job), ...pairs([['job', job.job_id]])]) io.out(line);
}

/** What a verification found; nothing while it runs. */
export function foundLines({ result }: Pick<Verification, 'result'>): string[] {
  if (result === null) return [];
  const { proof } = result;
  const facts = pairs([
    ['outcome', result.outcome],
    ['files', `${result.files - result.damaged} of ${result.files} are what was published`],
    ['blocks', proof === null ? null : `${proof['checked']} of ${proof['blocks']} compared`],
  ]);
  const damaged = result.damagedFiles.map(({ path, problem }) => `  ${problem}  ${path}`);
  return [...facts, ...damaged, ...boxesOf(proof).map((box) => `  differs  ${box}`)];
}

function boxesOf(proof: Readonly<Record<string, unknown>> | null): string[] {
  const found = (proof?.['differences'] ?? []) as { field: string; timestep: number; box: number[][] }[];
  return found.map(({ field, timestep, box }) => {
    const corners = box.map((corner) => `[${corner.join(', ')}]`).join(' to ');
    return `field ${field}, timestep ${timestep}, box ${corners}`;
  });
}

function exitCodeOf({ status, failure }: Verification): ExitCode {
  if (status === 'completed') return EXIT.done;
  if (failure === null) return EXIT.interrupted;
  const code = EXIT_OF_BLAME[failure.blame];
  return code === EXIT.system ? code : EXIT.content;
}
