// The queries of lists under /api/v1.
import { z } from 'zod';
import { DATASET_STATUSES } from '../domain/dataset.js';
import { JOB_STATUSES } from '../domain/job.js';
import { SENSORS } from '../domain/sensor.js';
import { TARGETS_STATES } from '../domain/target.js';
import { UPLOAD_STATUSES } from '../domain/upload.js';
import { countField } from './http-fields.js';

const cursor = z.string().max(300).optional();
const limit = countField(1, 500, 50);

export const datasetQuerySchema = z.object({
  status: z.enum(DATASET_STATUSES).optional(),
  user_email: z.string().max(254).optional(),
  sensor: z.enum(SENSORS).optional(),
  targets: z.enum(TARGETS_STATES).optional().meta({ description: 'How the publish targets stand' }),
  name: z.string().max(255).optional().meta({ description: 'Part of the name, any case' }),
  limit,
  cursor,
});
export const jobQuerySchema = z.object({
  status: z.enum(JOB_STATUSES).optional(),
  upload_status: z.enum(UPLOAD_STATUSES).optional(),
  user_email: z.string().max(254).optional(),
  dataset: z.uuid().optional(),
  limit,
  cursor,
});
export const eventQuerySchema = z.object({
  dataset: z.uuid().optional(),
  user_email: z.string().max(254).optional(),
});
