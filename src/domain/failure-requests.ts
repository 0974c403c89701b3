// Ways to fail that a request meets before anything is begun.
import { caller, type FailureRow, row } from './failure-row.js';

export const REQUEST_FAILURES = {
  // requests
  invalid_field: caller(422, 'A field is missing or has a wrong value.', 'Correct the field that is named.'),
  unknown_sensor: caller(
    422,
    'The sensor is not known.',
    'Use one of the sensors that /api/upload/supported-sources lists.',
  ),
  empty_file_name: caller(400, 'The file has no name.', 'Send the file with a file name.'),
  unsafe_name: caller(
    400,
    'A file name points outside the dataset or holds forbidden characters.',
    'Rename the file.',
  ),
  not_a_file: caller(
    400,
    'The path is not that of a file on the server.',
    'Name a file below a directory of SLUICE_LOCAL_ROOTS.',
  ),
  chunk_index: caller(400, 'There is no chunk with this index.', 'Ask which chunks are missing.'),
  chunk_length: caller(
    400,
    'The chunk does not have its exact length.',
    'Cut the file into the chunks that the server told.',
  ),
  chunk_mismatch: caller(
    400,
    'The bytes of the chunk are not those that its hash announced.',
    'Send the same chunk again.',
  ),
  chunks_missing: caller(400, 'Chunks are missing.', 'Send those that are listed, then complete it again.'),
  file_mismatch: caller(
    400,
    'The chunks together are not the file that was announced.',
    'Begin the upload again with the hash of the file as it is.',
  ),
  wrong_route: caller(400, 'This route does not take that source.', 'Use the route that is named.'),
  missing_parameter: caller(
    400,
    'A parameter of the query is missing that this route needs.',
    'Add the parameter that is named.',
  ),
  not_found: caller(404, 'There is no such thing.', 'Check the identifier.'),
  job_ended: caller(404, 'The job has ended already.', 'Nothing is left to cancel; see its status.'),
  conflict: caller(409, 'The present state does not allow this.', 'See which commands are open now.'),
  idempotency_mismatch: caller(
    422,
    'This Idempotency-Key was used for another request.',
    'Use a new key for a new request.',
  ),
  idempotency_running: caller(
    409,
    'The first request with this Idempotency-Key is still running.',
    'Wait for its answer and ask again.',
  ),
  payload_too_large: caller(413, 'The request is larger than this server accepts.', 'Send less at a time.'),
  unsupported_media_type: caller(
    415,
    'The body has a type that this route does not read.',
    'Send the content type that is named.',
  ),
  forbidden_origin: caller(
    403,
    'This server runs without authentication and answers only programs on this machine.',
    'Call it directly at 127.0.0.1, not through a web page or a proxy.',
  ),
  outside_roots: caller(
    403,
    'The path is not below a directory that this server may read.',
    'Add its directory to SLUICE_LOCAL_ROOTS, or send the bytes.',
  ),
  url_forbidden: caller(
    403,
    'The URL leads to an address that this server may not fetch from.',
    'Use a public address, or add the host to SLUICE_URL_ALLOW.',
  ),
  too_many_open_jobs: caller(
    429,
    'The owner has as many open jobs as one may have.',
    'Wait until some have ended, or cancel some.',
  ),
  too_many_open_uploads: caller(
    429,
    'The owner has as many unfinished uploads as one may have.',
    'Finish or cancel some, and send it again.',
  ),
  too_many_open_bytes: caller(
    429,
    'As many bytes of the owner are on their way as one may have.',
    'Wait until some uploads have ended and send it again; one that is larger than all of it needs a higher limit.',
  ),
  quota_reached: row(
    'caller',
    507,
    'The owner has as many bytes as one may have.',
    'Ask the operator for more (sluice limits set).',
    false,
    true,
  ),
  too_many_streams: caller(429, 'Too many event streams are open.', 'Close some and try again.'),
  store_unavailable: row(
    'system',
    503,
    'The database cannot be reached.',
    'Try again in a few seconds; running work goes on.',
    true,
  ),
  engine_unavailable: row('system', 503, 'Temporal cannot be reached.', 'Try again in a few seconds.', true),
} as const satisfies Readonly<Record<string, FailureRow>>;
