// Fresh names for what a request makes.
import { randomBytes } from 'node:crypto';
import { uploadJobId } from '../domain/ids.js';
import type { KeyIds } from '../store/idempotency.js';

export const newIds = (): KeyIds => ({
  uuid: crypto.randomUUID(),
  jobId: uploadJobId(Date.now(), randomBytes(4).toString('hex')),
});
