// The receiving core for uploads that clients fill piece by piece; the doors (tus, chunks) translate and hold no rules.
//
// How a door uses it:
//   1. `begin(deps, wish, ids, session)` makes the rows and starts workflow `upload:<jobId>`, which waits for the bytes.
//      Refuses before anything is recorded: name, size, space on the disk.
//   2. Bytes in order: `deps.writers.hold(jobId)` gives the one Writer of this upload (423 when another request or
//      process has it); `append` writes at its end; `rest` lets go. Its offset is the length of the file.
//      Bytes in any order: bytes/chunked-file.ts keeps which pieces are there; `takeWriter` with a name of the piece
//      (store/writers.ts) keeps two requests off one piece. Files lie in uploadStaging(...).files under their path.
//   3. `finish(deps, found, files)` when everything is there: marker, then the order again with what was received.
//      May be called again; a process that dies in between is made up for by the keeper, or by the next question.
//   4. `find(deps, jobId)` tells how an upload stands, from the row and the disk, in any process.
// The workflow ends it when no byte came for `expiresAfterMs`, or when it is cancelled: then `takeWriter` says closed.
import { markReceived, type ReceivedFile, readReceived } from '../../bytes/receive.js';
import { safeRelativePath } from '../../bytes/safe-names.js';
import type { JobDocument } from '../../contracts/documents.js';
import type { UploadOrder } from '../../contracts/workflow.js';
import { Fault } from '../../domain/fault.js';
import { sourceWords } from '../../domain/source.js';
import { findDataset } from '../../store/datasets.js';
import type { KeyIds } from '../../store/idempotency.js';
import { findJob, orderOf } from '../../store/jobs.js';
import { takeReceiver } from '../../store/receivers.js';
import { closeWriter, isClosed } from '../../store/writers.js';
import type { ApiDeps } from '../deps.js';
import { handOver, type Recorded, record, type UploadWish } from '../intake.js';
import { requireSpace } from '../space.js';
import type { AwaitedSession, FoundSession } from './port.js';

/** @throws Fault unsafe_name, empty_file, payload_too_large, disk_full, and those of `record` */
export async function begin(
  deps: ApiDeps,
  wish: UploadWish,
  ids: KeyIds,
  session: AwaitedSession,
): Promise<{ readonly recorded: Recorded; readonly notice: string | undefined }> {
  const path = safeRelativePath(session.path);
  if (session.bytes !== null) await requireRoom(deps, session.bytes);
  const { expiresAfterMs } = session;
  const bytes = session.bytes ?? 0;
  const source = { kind: 'awaited', files: 1, bytes, expiresAfterMs } as const;
  const recorded = await record(deps, wish, { ...ids, source, words: sourceWords(source), bytes });
  await keepSession(deps, ids.jobId, { ...session, path });
  return { recorded, notice: await handOver(deps, recorded, recorded.order) };
}

/** Whether so many bytes may come and have a place. @throws Fault empty_file, payload_too_large, disk_full */
export async function requireRoom(deps: ApiDeps, bytes: number): Promise<void> {
  if (bytes === 0) throw new Fault('empty_file', 'The announced length is 0: there is nothing to ingest.');
  if (bytes > deps.config.limits.fileBytes) {
    throw new Fault(
      'payload_too_large',
      `More than ${deps.config.limits.fileBytes} bytes, which this server accepts.`,
    );
  }
  await requireSpace(deps, bytes);
}

/** @throws Fault not_found */
export async function find(deps: ApiDeps, jobId: string): Promise<FoundSession> {
  const job = await findJob(deps.store, jobId);
  const session = job?.parameters['awaited'] as AwaitedSession | undefined;
  if (job === null || session === undefined) throw new Fault('not_found', 'There is no such upload.');
  return { job, session, state: await stateOf(deps, job) };
}

async function stateOf({ roots, store }: ApiDeps, job: JobDocument): Promise<FoundSession['state']> {
  const isWhole =
    orderOf(job)?.source.kind === 'received' || (await readReceived(roots, job.job_id)) !== undefined;
  if (isWhole) return 'whole';
  return job.upload_status === 'failed' ||
    job.upload_status === 'cancelled' ||
    (await isClosed(store, job.job_id))
    ? 'gone'
    : 'open';
}

/** The length, told after the beginning. @throws as requireRoom */
export async function tellLength(
  deps: ApiDeps,
  { job, session }: FoundSession,
  bytes: number,
): Promise<void> {
  await requireRoom(deps, bytes);
  await keepSession(deps, job.job_id, { ...session, bytes });
  await deps.store.jobs.updateOne({ job_id: job.job_id }, { $set: { bytes_total: bytes } });
}

/** All bytes are there: the workflow is told, and the way of every received upload begins. */
export async function finish(
  deps: ApiDeps,
  { job }: Pick<FoundSession, 'job'>,
  files: readonly ReceivedFile[],
): Promise<string | undefined> {
  // From here on the keeper finds what this process leaves undone.
  await takeReceiver(deps.store, job.job_id, deps.instance, orderOf(job)?.seal ?? true);
  const received = await markReceived(deps.roots, job.job_id, files);
  return await tell(deps, job, { kind: 'received', ...received });
}

/** The bytes are not what was announced: the upload ends with that failure. */
export async function refuse(deps: ApiDeps, { job }: Pick<FoundSession, 'job'>, fault: Fault): Promise<void> {
  await takeReceiver(deps.store, job.job_id, deps.instance, orderOf(job)?.seal ?? true);
  const { code, message: say } = fault;
  await tell(deps, job, { kind: 'received', files: 0, bytes: 0, fault: { code, say } });
}

async function tell(
  deps: ApiDeps,
  job: JobDocument,
  source: UploadOrder['source'],
): Promise<string | undefined> {
  const row = await findDataset(deps.store, job.dataset_uuid);
  const order = orderOf(job);
  if (row === null || order === undefined)
    throw new Fault('not_found', 'The dataset of this upload is gone.');
  const whole = { ...order, source };
  const shown = source.kind === 'received' ? { files: source.files, bytes: source.bytes } : undefined;
  const notice = await handOver(deps, { row, order: whole, fresh: false }, whole, shown);
  await closeWriter(deps.store, job.job_id);
  return notice;
}

async function keepSession({ store }: ApiDeps, jobId: string, session: AwaitedSession): Promise<void> {
  await store.jobs.updateOne({ job_id: jobId }, { $set: { 'parameters.awaited': session } });
}
