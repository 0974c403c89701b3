// HTTP bodies of the older routes for uploads in chunks (/api/upload/large/*), spelled as their clients expect them.
import { z } from 'zod';
import { placementFields } from './http-compat.js';
import { sharedFields } from './http-fields.js';

const sha256Field = z
  .string()
  .regex(/^[0-9a-fA-F]{64}$/, 'Input should be a SHA-256 digest in hexadecimal')
  .meta({ description: 'SHA-256, hexadecimal' });

export const largeInitiateSchema = sharedFields
  .extend({
    ...placementFields,
    filename: z.string().min(1).max(500),
    relative_path: z.string().max(500).nullish(),
    file_size: z.int().min(1).meta({ description: 'Bytes' }),
    file_hash: sha256Field,
  })
  .meta({ id: 'CompatLargeInitiate' });

export const largeInitiatedSchema = z
  .object({
    upload_id: z.string(),
    chunk_size: z.int().meta({ description: 'Bytes of every chunk but the last' }),
    total_chunks: z.int(),
    message: z.string(),
    job_id: z.string(),
    dataset_uuid: z.string(),
  })
  .meta({ id: 'CompatLargeInitiated' });

export const chunkFormSchema = z
  .object({
    chunk_hash: sha256Field,
    chunk: z.any().optional().meta({ type: 'string', format: 'binary', description: 'After chunk_hash' }),
  })
  .meta({ id: 'CompatChunkForm' });

export const chunkTakenSchema = z
  .object({ message: z.string(), uploaded_chunks: z.int(), total_chunks: z.int() })
  .meta({ id: 'CompatChunkTaken' });

export const largeStatusSchema = z
  .object({
    upload_id: z.string(),
    uploaded_chunks: z.array(z.int()),
    total_chunks: z.int(),
    is_complete: z.boolean(),
    progress_percentage: z.number(),
    job_id: z.string(),
    dataset_uuid: z.string(),
  })
  .meta({ id: 'CompatLargeStatus' });

export const largeResumeSchema = z
  .object({
    upload_id: z.string(),
    missing_chunks: z.array(z.int()),
    total_chunks: z.int(),
    can_resume: z.boolean(),
  })
  .meta({ id: 'CompatLargeResume' });

export const largeCompleteSchema = z
  .object({
    message: z.string(),
    file_path: z.string(),
    file_size: z.int(),
    job_submitted: z.literal(true),
    upload_id: z.string(),
    job_id: z.string(),
    dataset_uuid: z.string(),
  })
  .meta({ id: 'CompatLargeComplete' });
