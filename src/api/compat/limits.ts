// What older clients ask before they send: how large, how long, and whether the server is well.
import { join } from 'node:path';
import {
  estimateQuerySchema,
  estimateSchema,
  healthSchema,
  largeHealthSchema,
  largeLimitsSchema,
  limitsSchema,
} from '../../contracts/http-compat.js';
import { SOURCE_TYPES } from '../../sources/registry.js';
import { countReceiving } from '../../store/receiving.js';
import type { ApiDeps } from '../deps.js';
import { InvalidRequest } from '../problem.js';
import { type App, checkQuery, mount } from '../route.js';
import { LARGE_BYTES } from './answer.js';

const tag = 'compatible';
const DAY_MS = 86_400_000;
const MIB = 2 ** 20;
const TIB = 2 ** 40;

export function compatLimitRoutes(app: App, deps: ApiDeps): void {
  const largeMib = LARGE_BYTES / MIB;
  mount(
    app,
    {
      method: 'get',
      path: '/api/upload/limits',
      tag,
      summary: 'How large an upload may be',
      answers: { 200: { description: 'The limits', schema: limitsSchema } },
    },
    (c) =>
      c.json({
        ...limits(deps),
        large_file_threshold_bytes: LARGE_BYTES,
        large_file_threshold_mb: largeMib,
      }),
  );
  mount(
    app,
    {
      method: 'get',
      path: '/api/upload/large/limits',
      tag,
      summary: 'How large an upload in chunks may be',
      answers: { 200: { description: 'The limits', schema: largeLimitsSchema } },
    },
    (c) => c.json({ ...limits(deps), recommended_for_files_larger_than_mb: largeMib }),
  );
  healthRoutes(app, deps);
  mount(
    app,
    {
      method: 'get',
      path: '/api/upload/estimate-time',
      tag,
      summary: 'How long an upload of a size may take',
      query: estimateQuerySchema,
      answers: { 200: { description: 'The estimate', schema: estimateSchema } },
      refusals: [422],
    },
    (c) => c.json(estimate(checkQuery(c, estimateQuerySchema))),
  );
}

function healthRoutes(app: App, deps: ApiDeps): void {
  mount(
    app,
    {
      method: 'get',
      path: '/health',
      tag,
      summary: 'This process answers',
      answers: { 200: { description: 'Alive', schema: healthSchema } },
    },
    (c) =>
      c.json({
        status: 'healthy',
        timestamp: new Date().toISOString(),
        upload_type: 'unified',
        large_file_threshold_mb: String(LARGE_BYTES / MIB),
        max_file_size_tb: String(deps.config.limits.fileBytes / TIB),
      }),
  );
  mount(
    app,
    {
      method: 'get',
      path: '/health/large-files',
      tag,
      summary: 'How many uploads are open, and how much of them has come',
      answers: { 200: { description: 'Alive', schema: largeHealthSchema } },
      refusals: [503],
    },
    async (c) => {
      const { uploads, bytes } = await countReceiving(deps.store);
      return c.json({
        status: 'healthy',
        timestamp: new Date().toISOString(),
        active_uploads: uploads,
        temp_directory_size_mb: Math.round(bytes / MIB),
        max_file_size_tb: deps.config.limits.fileBytes / TIB,
        chunk_size_mb: deps.config.limits.chunkBytes / MIB,
      });
    },
  );
}

function limits({ config: { limits: most, dirs } }: ApiDeps) {
  return {
    max_file_size_bytes: most.fileBytes,
    max_file_size_tb: most.fileBytes / TIB,
    chunk_size_bytes: most.chunkBytes,
    chunk_size_mb: most.chunkBytes / MIB,
    resumable_upload_timeout_days: Math.ceil(most.chunkExpiryMs / DAY_MS),
    supported_source_types: SOURCE_TYPES,
    temp_directory: join(dirs.in, '.staging'),
  };
}

/** Seconds before the first byte, in the words of the older servers; two more a MB. */
const BASE_SECONDS: Readonly<Record<string, number>> = { local: 60, google_drive: 300, s3: 180, url: 120 };
const OTHER_SECONDS = 300;

function estimate({
  source_type: type,
  file_size_mb: mb,
}: {
  source_type: string;
  file_size_mb?: number | undefined;
}) {
  if (!SOURCE_TYPES.some((one) => one === type)) {
    const msg = `Input should be one of: ${SOURCE_TYPES.join(', ')}`;
    throw new InvalidRequest([{ type: 'enum', loc: ['query', 'source_type'], msg, input: type }]);
  }
  const seconds = Math.round((BASE_SECONDS[type] ?? OTHER_SECONDS) + 2 * (mb ?? 0));
  return {
    source_type: type,
    estimated_seconds: seconds,
    estimated_minutes: Math.round(seconds / 6) / 10,
    file_size_mb: mb ?? null,
  };
}
