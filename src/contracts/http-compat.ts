// HTTP bodies of the older upload routes (/api/upload/*), spelled as their clients expect them.
import { z } from 'zod';
import { UPLOAD_STATUSES } from '../domain/upload.js';
import { booleanField, countField, duplicatesField, priorityField, sharedFields } from './http-fields.js';

export const initiateSchema = sharedFields
  .extend({
    source_type: z.string().min(1).max(50),
    source_config: z.record(z.string(), z.unknown()).default({}),
    priority: priorityField,
  })
  .meta({ id: 'CompatInitiate' });

/** Fields that say which dataset the files go into. */
export const placementFields = {
  dataset_identifier: z
    .string()
    .max(255)
    .nullish()
    .meta({ description: 'A uuid for a new dataset; to add: uuid, number, slug or exact name' }),
  add_to_existing: booleanField.default(false),
  duplicates: duplicatesField,
  priority: priorityField,
};
export const placementSchema = z.object(placementFields);

export const pathFormSchema = sharedFields
  .extend({
    ...placementFields,
    file_path: z.string().min(1).max(4096).meta({ description: 'Absolute path on the server' }),
    original_filename: z.string().max(255).optional().meta({ description: 'Its name in the dataset' }),
  })
  .meta({ id: 'CompatPathForm' });

export const uploadResponseSchema = z
  .object({
    job_id: z.string(),
    status: z.literal('queued'),
    message: z.string(),
    estimated_duration: z.int().meta({ description: 'Seconds' }),
    upload_type: z.string(),
    dataset_uuid: z.string(),
  })
  .meta({ id: 'CompatUploadResponse' });
export type UploadResponse = z.infer<typeof uploadResponseSchema>;

export const jobStatusSchema = z
  .object({
    job_id: z.string(),
    status: z.enum(UPLOAD_STATUSES),
    progress_percentage: z.number(),
    bytes_uploaded: z.int(),
    bytes_total: z.int(),
    speed_mbps: z.number(),
    eta_seconds: z.int(),
    current_file: z.string(),
    message: z.string(),
    error: z.string().nullable(),
    error_message: z.string().nullable(),
    created_at: z.string(),
    updated_at: z.string(),
    dataset_uuid: z.string(),
  })
  .meta({ id: 'CompatJobStatus' });
export type CompatJobStatus = z.infer<typeof jobStatusSchema>;

export const compatJobListSchema = z
  .object({ jobs: z.array(jobStatusSchema), total: z.int(), limit: z.int(), offset: z.int() })
  .meta({ id: 'CompatJobList' });

export const compatJobQuerySchema = z.object({
  user_id: z.string().max(254).optional(),
  status: z.enum(UPLOAD_STATUSES).optional(),
  limit: countField(1, 1000, 50),
  offset: countField(0, Number.MAX_SAFE_INTEGER, 0),
});

export const messageSchema = z.object({ message: z.string() }).meta({ id: 'CompatMessage' });

export const supportedSourcesSchema = z
  .object({
    source_types: z.array(z.string()),
    sensor_types: z.array(z.string()),
    convertible_sensor_types: z.array(z.string()),
    required_parameters: z.record(z.string(), z.array(z.string())),
    optional_parameters: z.record(z.string(), z.array(z.string())),
  })
  .meta({ id: 'CompatSupportedSources' });

const limitFields = {
  max_file_size_bytes: z.int(),
  max_file_size_tb: z.number(),
  chunk_size_bytes: z.int(),
  chunk_size_mb: z.number(),
  resumable_upload_timeout_days: z.int(),
  supported_source_types: z.array(z.string()),
  temp_directory: z.string(),
};

export const limitsSchema = z
  .object({ ...limitFields, large_file_threshold_bytes: z.int(), large_file_threshold_mb: z.number() })
  .meta({ id: 'CompatLimits' });

export const largeLimitsSchema = z
  .object({ ...limitFields, recommended_for_files_larger_than_mb: z.number() })
  .meta({ id: 'CompatLargeLimits' });

const healthy = { status: z.literal('healthy'), timestamp: z.string() };

export const healthSchema = z
  .object({
    ...healthy,
    upload_type: z.string(),
    large_file_threshold_mb: z.string(),
    max_file_size_tb: z.string(),
  })
  .meta({ id: 'CompatHealth' });

export const largeHealthSchema = z
  .object({
    ...healthy,
    active_uploads: z.int(),
    temp_directory_size_mb: z.number(),
    max_file_size_tb: z.number(),
    chunk_size_mb: z.number(),
  })
  .meta({ id: 'CompatLargeHealth' });

export const estimateQuerySchema = z.object({
  source_type: z.string().max(50),
  file_size_mb: z.coerce.number({ error: 'Input should be a number, 0 or more' }).min(0).max(1e12).optional(),
});

export const estimateSchema = z
  .object({
    source_type: z.string(),
    estimated_seconds: z.int(),
    estimated_minutes: z.number(),
    file_size_mb: z.number().nullable(),
  })
  .meta({ id: 'CompatEstimate' });
