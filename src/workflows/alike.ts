// Uploads in few words, for the hand-over to the next run: those that stand alike share all but their ids.
import type { AlikeUploads, UploadState } from '../contracts/workflow.js';

/** So many open ones are handed over with their orders; the next run need not ask for these. */
const MOST_WHOLE = 100;

/** Those that go along as they are, and all others in groups; merged ones are neither. */
export function inFewWords(uploads: Iterable<UploadState>): {
  readonly whole: UploadState[];
  readonly alike: AlikeUploads[];
} {
  const whole: UploadState[] = [];
  const groups = new Map<string, { readonly like: UploadState; readonly jobs: string[] }>();
  let open = 0;
  for (const upload of uploads) {
    if (upload.merged) continue;
    const { delivery, order, failure } = upload;
    const isOpen = delivery === undefined && order !== undefined && failure === undefined;
    if (delivery !== undefined || (isOpen && open < MOST_WHOLE)) {
      if (isOpen) open += 1;
      whole.push(upload);
      continue;
    }
    const key = JSON.stringify(wordsOf(upload));
    const group = groups.get(key) ?? { like: upload, jobs: [] };
    groups.set(key, group);
    group.jobs.push(upload.jobId);
  }
  return { whole, alike: [...groups.values()].map(({ like, jobs }) => ({ ...sharedOf(like), jobs })) };
}

/** Each of them, in their order. */
export function fromFewWords(alike: readonly AlikeUploads[]): UploadState[] {
  return alike.flatMap(({ jobs, ...shared }) => jobs.map((jobId) => ({ jobId, ...shared })));
}

function sharedOf({ status, alone, begun, replaced, failure }: UploadState): Omit<AlikeUploads, 'jobs'> {
  return {
    status,
    ...(alone ? { alone } : {}),
    ...(begun ? { begun } : {}),
    ...(replaced ? { replaced } : {}),
    ...(failure ? { failure } : {}),
  };
}

/** What must be equal: of a failure its code and who is to blame, not the words about this one file. */
function wordsOf(upload: UploadState): readonly unknown[] {
  const { failure, ...rest } = sharedOf(upload);
  return [rest, failure?.code, failure?.blame];
}
