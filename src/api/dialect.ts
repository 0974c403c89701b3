// The native dialect: how a request under /api/v1 reads as a wish, and how answers are worded.
import type { z } from 'zod';
import {
  existingDatasetSchema,
  formParts,
  newDatasetUploadSchema,
  type UploadAnswer,
} from '../contracts/http.js';
import type { SourceBody } from '../sources/registry.js';
import { startExistingSchema, startNewSchema } from '../sources/start.js';
import type { UploadWish } from './intake.js';
import type { FormFields } from './receive-form.js';
import { withOutput } from './records.js';
import { check } from './route.js';
import type { SessionResult } from './upload-session.js';

type NativeUpload = z.output<typeof existingDatasetSchema> | z.output<typeof newDatasetUploadSchema>;

const existingForm = existingDatasetSchema.extend(formParts);
const newForm = newDatasetUploadSchema.extend(formParts);

/** A form's fields. @throws InvalidRequest */
export function nativeWish(fields: FormFields): UploadWish {
  const schema = fields.dataset === undefined ? newForm : existingForm;
  return wishOf(check<typeof existingForm | typeof newForm>(schema, fields, 'body'));
}

/** A JSON body whose source the server fetches. @throws InvalidRequest */
export function nativeStart(body: unknown): { wish: UploadWish; source: SourceBody } {
  // Not the union of both: its mistakes would be those of whichever has fewer.
  const into = typeof body === 'object' && body !== null && 'dataset' in body;
  const schema = into ? startExistingSchema : startNewSchema;
  const upload = check<typeof startExistingSchema | typeof startNewSchema>(schema, body, 'body');
  return { wish: wishOf(upload), source: upload.source };
}

function wishOf(upload: NativeUpload): UploadWish {
  const { seal, replaces, priority, duplicates, user_email: by } = upload;
  const target =
    'dataset' in upload ? { dataset: upload.dataset.toLowerCase() } : { fields: withOutput(upload) };
  return { target, seal, replaces, priority, duplicates, by };
}

export function nativeAnswer({ recorded, received, notice }: SessionResult): {
  status: 201;
  body: UploadAnswer;
} {
  const { jobId } = recorded.order;
  const { uuid } = recorded.row;
  const body: UploadAnswer = {
    job_id: jobId,
    dataset_uuid: uuid,
    status: 'queued',
    ...received,
    ...(notice === undefined ? {} : { notice }),
    links: { job: `/api/v1/jobs/${jobId}`, dataset: `/api/v1/datasets/${uuid}` },
  };
  return { status: 201, body };
}
