// A file of which no ranges can be had, or none that provably belong together: one stream, from the start at every try.
import type { FileFollower, FileHash } from '../../../bytes/hash.js';
import type { PartialFile } from '../../../bytes/partial-file.js';
import type { TransferJob } from './job.js';
import { request } from './open.js';
import { isProvable, type Opened, SourceChanged, sameVersion } from './port.js';
import { pump } from './pump.js';
import { Tries } from './tries.js';
import { Watch, watchBody } from './watch.js';

/** @throws SourceChanged, Fault, the signal's reason, system errors */
export async function fillWhole<O extends Opened>(
  job: TransferJob<O>,
  file: PartialFile,
  first: O,
): Promise<FileHash | undefined> {
  const tries = new Tries(job.settings, job.opener);
  const watch = new Watch(job.settings.stallMs);
  let body: Opened | undefined = first.range.start === 0 && isWhole(first) ? first : undefined;
  let furthest = 0;
  try {
    for (;;) {
      const follower = await job.follow?.(first);
      try {
        body ??= await request(job, undefined, undefined);
        const { version, at } = await once(job, file, { first, body, watch, follower }, (reached) => {
          if (reached > furthest) tries.advanced();
          furthest = Math.max(furthest, reached);
        });
        // A size that nobody told is none that was asked for yet: it is shown when the owner may have so much.
        job.advance(at, version ?? 0);
        await file.cut(at);
        return await follower?.finish(at);
      } catch (error) {
        follower?.drop();
        job.signal.throwIfAborted();
        await tries.next(error, job.signal);
      }
      body = undefined;
    }
  } finally {
    watch.end();
  }
}

interface OneTry {
  readonly first: Opened;
  readonly body: Opened;
  readonly watch: Watch;
  readonly follower: FileFollower | undefined;
}

async function once<O extends Opened>(
  job: TransferJob<O>,
  file: PartialFile,
  { first, body, watch, follower }: OneTry,
  reached: (at: number) => void,
): Promise<{ at: number; version: number | undefined }> {
  const { validator } = body;
  if (isProvable(first.validator) && !sameVersion(first.validator, validator)) {
    body.body.destroy();
    throw new SourceChanged('another version than the bytes before');
  }
  const span = { at: 0, end: Number.POSITIVE_INFINITY };
  const watched = watchBody(watch, (why) => void body.body.destroy(why));
  let at = 0;
  const came = (bytes: number): void => {
    at += bytes;
    reached(at);
    job.advance(at, validator.size ?? 0);
  };
  const wrote = (end: number): void => follower?.advance(end);
  try {
    await pump(job.opener, body, span, { file, pace: job.pace, came, wrote, watched });
  } finally {
    watch.drop(watched);
  }
  return { at, version: validator.size };
}

const isWhole = ({ partial, range, validator }: Opened): boolean => !partial || range.end === validator.size;
