// How older clients are told that their upload was accepted.
import type { UploadResponse } from '../../contracts/http-compat.js';
import { offerOf, type SourceType } from '../../sources/registry.js';
import type { Word } from '../upload.js';

const MIB = 1024 * 1024;
/** Above so many bytes clients call an upload chunked, whatever way it came. */
export const LARGE_BYTES = 100 * MIB;

type Recorded = Parameters<Word>[0]['recorded'];

export const wordFiles: Word = ({ recorded, received, notice }) => {
  const { bytes } = received;
  const chunked = bytes > LARGE_BYTES;
  const seconds = estimateSeconds(bytes, chunked ? 300 : 60);
  return compatAnswer(recorded, { type: chunked ? 'chunked' : 'standard', seconds, notice });
};

export const wordSource =
  (type: SourceType): Word =>
  ({ recorded, notice }) =>
    compatAnswer(recorded, { type: 'standard', seconds: offerOf(type).compat?.seconds ?? 60, notice });

/** @param bytes of the file on the server */
export const wordPath =
  (bytes: number): Word =>
  ({ recorded, notice }) =>
    compatAnswer(recorded, { type: 'path', seconds: estimateSeconds(bytes, 60), notice });

function compatAnswer(
  { order, row }: Recorded,
  { type, seconds, notice }: { type: string; seconds: number; notice: string | undefined },
): { status: 200; body: UploadResponse } {
  const message = notice === undefined ? 'Upload accepted' : `Upload accepted: ${notice}`;
  const body: UploadResponse = {
    job_id: order.jobId,
    status: 'queued',
    message,
    estimated_duration: seconds,
    upload_type: type,
    dataset_uuid: row.uuid,
  };
  return { status: 200, body };
}

const estimateSeconds = (bytes: number, least: number): number =>
  Math.max(least, Math.ceil((2 * bytes) / MIB));
