// Native HTTP bodies under /api/v1: requests as they are checked, answers as they are promised.
import { z } from 'zod';
import { DATASET_STATUSES } from '../domain/dataset.js';
import { JOB_STATUSES } from '../domain/job.js';
import { STAGES } from '../domain/stage.js';
import { TARGETS_STATES } from '../domain/target.js';
import { UPLOAD_STATUSES } from '../domain/upload.js';
import { outputField } from './formats/output.js';
import {
  booleanField,
  datasetNameField,
  descriptionFields,
  duplicatesField,
  emailField,
  ignored,
  ignoredDescription,
  leftOutSchema,
  parametersField,
  priorityField,
  publishToField,
  sensorField,
  sha256Field,
} from './http-fields.js';
import { productSchema, publishedSchema } from './http-product.js';

const time = z.iso.datetime().meta({ description: 'ISO 8601, UTC' });

export const problemSchema = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'Stable; programs compare this' }),
    remedy: z.string(),
    instance: z.string(),
    error: z.string().meta({ description: 'The title again, for older clients' }),
    errors: z
      .array(z.object({ loc: z.array(z.union([z.string(), z.number()])), msg: z.string(), type: z.string() }))
      .optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });
export type Problem = z.infer<typeof problemSchema>;

const newDataset = {
  name: datasetNameField,
  sensor: sensorField,
  user_email: emailField,
  ...descriptionFields,
  parameters: parametersField,
  output: outputField,
  publish_to: publishToField,
};

export const createDatasetSchema = z.strictObject(newDataset).meta({ id: 'CreateDataset' });
export type CreateDataset = z.infer<typeof createDatasetSchema>;

const deliveryFields = {
  duplicates: duplicatesField,
  seal: booleanField.default(true).meta({ description: 'Nothing more is coming after this upload' }),
  replaces: z
    .string()
    .max(100)
    .optional()
    .meta({ description: 'Job id of a failed upload that is sent again' }),
  priority: priorityField,
};

/** A delivery into a dataset that exists. */
export const existingDatasetSchema = z.strictObject({
  dataset: z.uuid(),
  user_email: emailField.optional(),
  ...ignoredDescription,
  output: ignoredDescription.parameters,
  publish_to: ignored,
  ...deliveryFields,
});
/** A delivery that makes its dataset. */
export const newDatasetUploadSchema = z.strictObject({ ...newDataset, ...deliveryFields });

/** What a form holds beside the fields of its upload. */
export const formParts = {
  relative_path: z.string().max(500).optional().meta({ description: 'Directory of the files that follow' }),
  sha256: sha256Field.optional().meta({ description: 'SHA-256 of the file that follows, hexadecimal' }),
  file: z.any().optional().meta({ type: 'string', format: 'binary' }),
};

export const commandBodySchema = z
  .strictObject({
    by: z.string().max(254).optional().meta({ description: 'Who asks; default: the owner' }),
    reason: z.string().max(1000).optional(),
  })
  .meta({ id: 'CommandBody' });
export type CommandBody = z.infer<typeof commandBodySchema>;

const failureSchema = z.object({
  code: z.string(),
  say: z.string(),
  remedy: z.string(),
  blame: z.enum(['content', 'system', 'caller']),
});

const progressFields = {
  progress_percentage: z.number().min(0).max(100),
  stage: z.enum(STAGES).nullable(),
  speed_mbps: z.number().nullable().meta({ description: 'MB/s, 10^6 bytes' }),
  eta_seconds: z.int().nullable(),
  current_file: z.string().nullable(),
};

const duplicateSchema = z
  .object({
    dataset: z.string().meta({ description: 'uuid of the other dataset' }),
    name: z.string(),
    path: z.string().nullable().meta({ description: 'Of the one file, when it is one' }),
    files: z.int().meta({ description: 'So many files are there' }),
    of: z.int().nullable().meta({ description: 'Of so many; null when several uploads are meant' }),
  })
  .nullable()
  .meta({ id: 'Duplicate', description: 'Another dataset that has the same bytes' });

export const datasetSchema = z
  .object({
    uuid: z.string(),
    name: z.string(),
    slug: z.string(),
    user_email: z.string(),
    sensor: z.string(),
    convert: z.boolean(),
    is_public: z.boolean(),
    folder: z.string().nullable(),
    team_uuid: z.string().nullable(),
    tags: z.string(),
    unpack_nested: z.boolean(),
    keep_archives: z.boolean(),
    parameters: z.record(z.string(), z.unknown()),
    status: z.enum(DATASET_STATUSES),
    status_message: z.string(),
    paused: z.object({ by: z.string(), at: time }).nullable(),
    ...progressFields,
    failure: failureSchema.nullable(),
    product: productSchema.nullable(),
    publish_to: z.array(z.string()),
    published: publishedSchema,
    targets: z
      .enum(TARGETS_STATES)
      .nullable()
      .meta({ description: 'All targets in one word; `partial`: published, but one lacks it' }),
    verified: z
      .enum(['whole', 'damaged'])
      .nullable()
      .meta({ description: 'What the last verification of this product found' }),
    verified_at: time.nullable(),
    total_size_bytes: z.int(),
    file_count: z.int(),
    job_id: z.string().nullable(),
    duplicate_of: duplicateSchema,
    open: z.array(z.string()).meta({ description: 'Commands that the present state allows' }),
    run_id: z.string().nullable(),
    revision: z.int(),
    created_at: time,
    updated_at: time,
    completed_at: time.nullable(),
    links: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Dataset' });
export type DatasetResource = z.infer<typeof datasetSchema>;

export const datasetDetailSchema = datasetSchema
  .extend({
    sealed: z.boolean(),
    uploads: z.array(
      z.object({
        job_id: z.string(),
        upload_status: z.enum(UPLOAD_STATUSES),
        source: z.string(),
        left_out: leftOutSchema,
      }),
    ),
  })
  .meta({ id: 'DatasetDetail' });
export type DatasetDetail = z.infer<typeof datasetDetailSchema>;

export const historySchema = z
  .object({
    history: z.array(
      z.object({
        entity: z.string(),
        from: z.string().nullable(),
        to: z.string(),
        at: time,
        actor: z.string(),
        reason: z.string().nullable(),
        run_id: z.string().nullable(),
        revision: z.int(),
      }),
    ),
  })
  .meta({ id: 'History' });
export type History = z.infer<typeof historySchema>;

export const jobSchema = z
  .object({
    job_id: z.string(),
    dataset_uuid: z.string(),
    job_type: z.string(),
    status: z.enum(JOB_STATUSES),
    upload_status: z.enum(UPLOAD_STATUSES),
    priority: z.int(),
    user_email: z.string(),
    source_type: z.string(),
    source: z.string(),
    bytes_uploaded: z.int(),
    bytes_total: z.int(),
    file_count: z.int(),
    ...progressFields,
    attempts: z.int().meta({ description: 'From 1; each retry is one more' }),
    max_attempts: z.int(),
    worker_id: z
      .string()
      .nullable()
      .meta({ description: 'The worker that moved its bytes last, as Temporal Web names it' }),
    pid: z.int().nullable(),
    lock_file: z.string().nullable(),
    parameters: z.record(z.string(), z.unknown()),
    result: z.record(z.string(), z.unknown()).nullable(),
    error: z.string().nullable(),
    error_message: z.string().nullable(),
    failure: failureSchema.nullable(),
    duplicate_of: duplicateSchema,
    left_out: leftOutSchema,
    logs: z.array(z.object({ timestamp: time, message: z.string() })),
    created_at: time,
    started_at: time.nullable().meta({ description: 'Of the present attempt' }),
    completed_at: time.nullable(),
    updated_at: time,
    dataset_info: z
      .object({ name: z.string(), user: z.string(), status: z.string(), sensor: z.string() })
      .nullable(),
    execution_time: z.number().nullable().meta({ description: 'Seconds; until now while it runs' }),
    estimated_completion: time.nullable(),
    open: z.array(z.string()),
    links: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Job' });
export type JobResource = z.infer<typeof jobSchema>;

export const datasetListSchema = z
  .object({ datasets: z.array(datasetSchema), next: z.string().nullable() })
  .meta({ id: 'DatasetList' });
export type DatasetList = z.infer<typeof datasetListSchema>;

export const jobListSchema = z
  .object({ jobs: z.array(jobSchema), next: z.string().nullable() })
  .meta({ id: 'JobList' });
export type JobList = z.infer<typeof jobListSchema>;

export const uploadAnswerSchema = z
  .object({
    job_id: z.string(),
    dataset_uuid: z.string(),
    status: z.literal('queued'),
    files: z.int(),
    bytes: z.int(),
    notice: z.string().optional(),
    links: z.record(z.string(), z.string()),
  })
  .meta({ id: 'UploadAnswer' });
export type UploadAnswer = z.infer<typeof uploadAnswerSchema>;

export const commandAnswerSchema = z
  .object({
    done: z.boolean().meta({ description: 'false: accepted, it takes effect when a worker runs' }),
    state: z.record(z.string(), z.unknown()).optional(),
    run_id: z.string().optional(),
    notice: z.string().optional(),
  })
  .meta({ id: 'CommandAnswer' });
export type CommandAnswer = z.infer<typeof commandAnswerSchema>;

export const readySchema = z
  .object({
    ready: z.boolean(),
    checks: z.object({
      database: z.boolean(),
      temporal: z.boolean(),
      worker: z.boolean().meta({ description: 'Every queue has a worker' }),
      queues: z.object({ control: z.boolean(), transfer: z.boolean(), compute: z.boolean() }),
    }),
  })
  .meta({ id: 'Ready' });
export type Ready = z.infer<typeof readySchema>;
