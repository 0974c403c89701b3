// Requests under /api/v1 whose bytes a worker fetches.
import { z } from 'zod';
import { commandBodySchema, existingDatasetSchema, newDatasetUploadSchema } from '../contracts/http.js';
import { sourceSchema } from './registry.js';

export const startExistingSchema = existingDatasetSchema.extend({ source: sourceSchema });
export const startNewSchema = newDatasetUploadSchema.extend({ source: sourceSchema });
export const startUploadSchema = z.union([startExistingSchema, startNewSchema]).meta({ id: 'StartUpload' });
export type StartUpload = z.input<typeof startUploadSchema>;

export const retryJobSchema = commandBodySchema
  .extend({
    source: sourceSchema
      .optional()
      .meta({ description: 'As it was, with new credentials in place of the old' }),
  })
  .meta({ id: 'RetryJob' });
export type RetryJob = z.output<typeof retryJobSchema>;
