// Target `rsync`: the product as <path>/<uuid>/ of a daemon's module or of a host with ssh, proven by reading both sides.
import { rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { removeTree } from '../../../bytes/files.js';
import type { FileEntry } from '../../../contracts/claim.js';
import { type RsyncTarget, rsyncWords } from '../../../contracts/targets.js';
import { faultOf } from '../../../domain/fault.js';
import { endProgramsIn } from '../../../process/run-tool.js';
import { differs, readAllLocal } from './local.js';
import type { Outgoing, Publisher } from './publisher.js';
import { FarDirectory } from './rsync-far.js';

/** Compared by one rsync, so that a connection that died is found in bounded time, and progress is told. */
const BATCH_BYTES = 4 * 2 ** 30;
const BATCH_FILES = 20_000;

export const rsyncPublisher: Publisher<RsyncTarget> = {
  kind: 'rsync',

  async publish(outgoing) {
    const { target, uuid, files, signal } = outgoing;
    const far = new FarDirectory(outgoing);
    return await inPlace(outgoing, far, async () => {
      await readAllLocal(outgoing);
      try {
        let sent = (await far.sendFiles(false)) + (await far.sendManifest(false));
        const other = await firstDiffering(outgoing, far);
        if (other !== undefined) sent += await mend(outgoing, far);
        return { url: urlOf(target, uuid), sent, readBack: files.length };
      } catch (error) {
        // What another attempt could go on with stays, unless there will be none, or its very bytes are in the way.
        const isOver = signal.aborted ? outgoing.isCancelled() : faultOf(error)?.code === 'target_full';
        if (isOver) await far.clearUp().catch(() => undefined);
        throw error;
      }
    });
  },

  async holds(outgoing) {
    const far = new FarDirectory(outgoing);
    return await inPlace(outgoing, far, async () => (await far.odd()) === undefined);
  },
};

async function inPlace<T>(
  { place }: Outgoing<RsyncTarget>,
  far: FarDirectory,
  work: () => Promise<T>,
): Promise<T> {
  // rsync outlives a killed worker for the moment in which it puts its partial file aside.
  await endProgramsIn(place);
  try {
    await far.prepare();
    return await work();
  } finally {
    await removeTree(place).catch(() => undefined);
    // The dataset's, when nothing else is in it.
    await rmdir(dirname(place)).catch(() => undefined);
  }
}

/** A file whose size and time are right and whose content is not is sent anew, once. @throws Fault `target_differs` */
async function mend(outgoing: Outgoing<RsyncTarget>, far: FarDirectory): Promise<number> {
  const sent = (await far.sendFiles(true)) + (await far.sendManifest(true));
  const other = await firstDiffering(outgoing, far);
  if (other !== undefined) throw differs(other);
  return sent;
}

async function firstDiffering(
  { files, advance }: Outgoing<RsyncTarget>,
  far: FarDirectory,
): Promise<string | undefined> {
  for (const batch of batches(files)) {
    const other = await far.differing(batch);
    if (other !== undefined) return other;
    const bytes = batch.reduce((sum, { size }) => sum + size, 0);
    advance(bytes, `${batch.length} files read back`);
  }
  return undefined;
}

function* batches(files: readonly FileEntry[]): Generator<readonly FileEntry[]> {
  let batch: FileEntry[] = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length >= BATCH_FILES || (batch.length > 0 && bytes + file.size > BATCH_BYTES)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(file);
    bytes += file.size;
  }
  if (batch.length > 0) yield batch;
}

const urlOf = (target: RsyncTarget, uuid: string): string => `${target.url ?? rsyncWords(target)}${uuid}/`;
