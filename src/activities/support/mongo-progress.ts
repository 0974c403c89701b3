// Progress reports on their way to the database: one a second a subject, with speed and time left, never in the way.
import type { StoredProgress } from '../../contracts/documents.js';
import { rate } from '../../domain/progress.js';
import type { Store } from '../../store/mongo.js';
import { writeDatasetProgress, writeUploadProgress } from '../../store/progress.js';
import type { ProgressReport, ProgressSink } from './heartbeat.js';

const APART_MS = 1_000;
/** Speed is measured over this long, so that it neither jumps nor lies about a stall. */
const WINDOW_MS = 15_000;

interface Track {
  samples: { at: number; done: number }[];
  writtenAt: number;
  writing: boolean;
}

/** A sink that writes to MongoDB; an outage of the database drops reports and disturbs nothing. */
export function createProgressSink(store: Store, onError: (error: unknown) => void): ProgressSink {
  const tracks = new Map<string, Track>();
  return {
    report(progress) {
      const key = `${progress.jobId ?? progress.uuid}/${progress.stage}/${progress.runId}/${progress.attempt}`;
      const track = tracks.get(key) ?? { samples: [], writtenAt: 0, writing: false };
      tracks.set(key, track);
      const now = Date.now();
      const ended = progress.total > 0 && progress.done >= progress.total;
      sample(track, now, progress.done);
      if (ended) tracks.delete(key);
      if (track.writing || (!ended && now - track.writtenAt < APART_MS)) return;
      track.writing = true;
      track.writtenAt = now;
      void write(store, progress, stored(progress, track, now))
        .catch(onError)
        .finally(() => {
          track.writing = false;
        });
    },
  };
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

function write(store: Store, { uuid, jobId }: ProgressReport, progress: StoredProgress): Promise<void> {
  return jobId === undefined
    ? writeDatasetProgress(store, uuid, progress)
    : writeUploadProgress(store, jobId, progress);
}
