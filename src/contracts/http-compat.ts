// HTTP bodies of the older upload routes (/api/upload/*), spelled as their clients expect them.
import { z } from 'zod';
import { UPLOAD_STATUSES } from '../domain/upload.js';
import { countField, sharedFields } from './http-fields.js';

export const initiateSchema = sharedFields
  .extend({
    source_type: z.string().min(1).max(50),
    source_config: z.record(z.string(), z.unknown()).default({}),
  })
  .meta({ id: 'CompatInitiate' });

/** Fields of the multipart route that say where the files go. */
export const placementSchema = z.object({
  dataset_identifier: z.string().max(255).nullish(),
  add_to_existing: z.unknown().optional(),
});

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
