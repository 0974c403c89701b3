// Progress reports on their way to the database: one a second a subject, with speed and time left, never in the way.
import type { StoredProgress } from '../../contracts/documents.js';
import { jobTypeOf } from '../../domain/job.js';
import { rate } from '../../domain/progress.js';
import type { Store } from '../../store/mongo.js';
import { writeDatasetProgress, writeUploadProgress } from '../../store/progress.js';
import { writeVerificationProgress } from '../../store/verifications.js';
import type { ProgressReport, ProgressSink } from './heartbeat.js';

const APART_MS = 1_000;
/** Speed is measured over this long, so that it neither jumps nor lies about a stall. */
const WINDOW_MS = 15_000;
/** A stage that was silent for so long has ended, or its attempt has; it is forgotten. */
const FORGET_MS = 600_000;

interface Track {
  readonly samples: { at: number; done: number }[];
  heardAt: number;
  writtenAt: number;
  writing: boolean;
  /** The end that was written: told again, it waits like everything else. */
  endedAt: number | undefined;
}

/** A sink that writes to MongoDB; an outage of the database drops reports and disturbs nothing; `workerId` is shown in jobs. */
export function createProgressSink(
  store: Store,
  onError: (error: unknown) => void,
  workerId: string,
): ProgressSink {
  const tracks = new Map<string, Track>();
  return {
    report(progress) {
      const key = `${progress.jobId ?? progress.uuid}/${progress.stage}/${progress.runId}/${progress.attempt}`;
      const now = Date.now();
      const track = tracks.get(key) ?? newTrack(tracks, key, now);
      track.heardAt = now;
      sample(track, now, progress.done);
      const ended = progress.total > 0 && progress.done >= progress.total && track.endedAt !== progress.done;
      if (track.writing || (!ended && now - track.writtenAt < APART_MS)) return;
      track.writing = true;
      track.writtenAt = now;
      if (ended) track.endedAt = progress.done;
      void write(store, workerId, progress, stored(progress, track, now))
        .catch(onError)
        .finally(() => {
          track.writing = false;
        });
    },
  };
}

/** Begins one, and forgets those that nobody reports to any more. */
function newTrack(tracks: Map<string, Track>, key: string, now: number): Track {
  for (const [old, { heardAt }] of tracks) if (now - heardAt > FORGET_MS) tracks.delete(old);
  const track: Track = { samples: [], heardAt: now, writtenAt: 0, writing: false, endedAt: undefined };
  tracks.set(key, track);
  return track;
}

function sample(track: Track, at: number, done: number): void {
  track.samples.push({ at, done });
  while ((track.samples[0]?.at ?? at) < at - WINDOW_MS) track.samples.shift();
}

function stored(progress: ProgressReport, track: Track, now: number): StoredProgress {
  const { uuid: _uuid, jobId: _jobId, ...measured } = progress;
  const first = track.samples[0] ?? { at: now, done: progress.done };
  const speed =
    progress.unit === 'bytes' ? rate(first, { at: now, done: progress.done, total: progress.total }) : {};
  return { ...measured, ...speed, at: new Date(now) };
}

function write(
  store: Store,
  workerId: string,
  { uuid, jobId }: ProgressReport,
  progress: StoredProgress,
): Promise<void> {
  if (jobId === undefined) return writeDatasetProgress(store, uuid, progress);
  return jobTypeOf(jobId) === 'verify'
    ? writeVerificationProgress(store, jobId, progress)
    : writeUploadProgress(store, jobId, progress, workerId);
}
