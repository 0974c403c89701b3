// Native HTTP bodies of verifications.
import { z } from 'zod';
import { JOB_STATUSES } from '../domain/job.js';

const time = z.iso.datetime();
const version = z.object({ size: z.int(), sha256: z.string() });

const foundSchema = z.object({
  outcome: z.enum(['whole', 'damaged']),
  files: z.int().meta({ description: 'Files compared with the checksum manifest' }),
  bytes: z.int(),
  damaged: z.int().meta({ description: 'So many files are not what was published' }),
  damagedFiles: z
    .array(
      z.object({
        path: z.string(),
        problem: z.enum(['missing', 'changed', 'unreadable']),
        expected: version,
        found: version.nullable(),
      }),
    )
    .meta({ description: 'The first of them' }),
  added: z.array(z.string()).meta({ description: 'Files that nobody published' }),
  proof: z
    .record(z.string(), z.unknown())
    .nullable()
    .meta({ description: 'What the proof said again, with the boxes that differ' }),
  say: z.string(),
});

export const verificationSchema = z
  .object({
    job_id: z.string(),
    dataset_uuid: z.string(),
    job_type: z.literal('verify'),
    status: z.enum(JOB_STATUSES),
    by: z.string(),
    progress_percentage: z.number().min(0).max(100),
    speed_mbps: z.number().nullable(),
    eta_seconds: z.int().nullable(),
    current_file: z.string().nullable(),
    result: foundSchema.nullable(),
    failure: z
      .object({
        code: z.string(),
        say: z.string(),
        remedy: z.string(),
        blame: z.enum(['content', 'system', 'caller']),
      })
      .nullable(),
    created_at: time,
    started_at: time.nullable(),
    completed_at: time.nullable(),
    notice: z.string().optional(),
    links: z.record(z.string(), z.string()),
  })
  .meta({ id: 'Verification', description: 'A job that proves a published product again' });
export type Verification = z.infer<typeof verificationSchema>;

export const verificationListSchema = z
  .object({ verifications: z.array(verificationSchema) })
  .meta({ id: 'VerificationList' });
