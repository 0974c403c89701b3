// Every way to fail: who is to blame, whether trying again can help, the HTTP status, and words for the user.

/** content: the data or a rule was not met (failed); system: something broke (errored); caller: the request was wrong. */
export type Blame = 'content' | 'system' | 'caller';

export interface FailureRow {
  readonly blame: Blame;
  /** Whether Temporal may try the same call again by itself. */
  readonly retryable: boolean;
  readonly http: number;
  /** One sentence for the user: what is wrong. */
  readonly say: string;
  /** One sentence for the user: what to do. */
  readonly remedy: string;
}

const row = (blame: Blame, http: number, say: string, remedy: string, retryable = false): FailureRow => ({
  blame,
  retryable,
  http,
  say,
  remedy,
});
const content = (say: string, remedy: string): FailureRow => row('content', 422, say, remedy);
const system = (say: string, remedy: string, retryable = true): FailureRow =>
  row('system', 503, say, remedy, retryable);
const caller = (http: number, say: string, remedy: string): FailureRow => row('caller', http, say, remedy);

export const FAILURES = {
  // requests
  invalid_field: caller(422, 'A field is missing or has a wrong value.', 'Correct the field that is named.'),
  unknown_sensor: caller(
    422,
    'The sensor is not known.',
    'Use one of the sensors that /api/upload/supported-sources lists.',
  ),
  sensor_not_supported: caller(
    422,
    'This version cannot convert data of this sensor yet.',
    'Use the sensor OTHER to publish the files as they are.',
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
    'Wait until some uploads have ended, and send it again.',
  ),
  quota_reached: caller(
    507,
    'The owner has as many bytes as one may have.',
    'Ask the operator for more (sluice limits set).',
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
  // fetch
  upload_interrupted: content('The transfer ended before the last byte.', 'Send it again.'),
  upload_expired: row(
    'content',
    410,
    'The upload was not finished in time, so its bytes were removed.',
    'Begin it again.',
  ),
  upload_gone: caller(
    410,
    'The upload has ended, so it takes no more bytes.',
    'See its status; begin a new one.',
  ),
  upload_locked: caller(
    423,
    'Another request is sending bytes of this upload.',
    'Wait as long as Retry-After says, then ask where to go on.',
  ),
  wrong_offset: caller(
    409,
    'The bytes do not begin where those that are there end.',
    'Ask where to go on (HEAD), and send from there.',
  ),
  part_mismatch: caller(
    460,
    'The bytes of this request do not have the checksum that it announced; they were dropped.',
    'Send the same part again.',
  ),
  unsupported_version: caller(
    412,
    'This server does not speak that version of the protocol.',
    'Use the version in the header Tus-Version.',
  ),
  empty_file: content('The file is empty.', 'Send a file with content.'),
  no_files: content('There is no file to ingest.', 'Check the path or the directory.'),
  path_not_found: content('The path does not exist on the server.', 'Check the path.'),
  path_is_link: content('The path leads through a link.', 'Name the real path.'),
  file_changed: content('The file changed while it was read.', 'Ingest it again when it is complete.'),
  url_not_found: content('The server of the URL does not have that file.', 'Check the address.'),
  url_denied: content('The server of the URL refused access.', 'Check the credentials in the URL.'),
  url_refused: content('The server of the URL answered that the request is wrong.', 'Check the address.'),
  url_changed: content(
    'The file at the URL changed while it was fetched.',
    'Fetch it again when it is stable.',
  ),
  url_short: content(
    'The server of the URL sent fewer bytes than it announced, again and again.',
    'Ask the owner of the server, or fetch it another way.',
  ),
  url_too_many_redirects: content('The URL redirects in circles.', 'Name the final address.'),
  url_broken: system('The transfer from the URL broke.', 'It is tried again from where it stopped.'),
  google_account_unknown: caller(
    422,
    'This server was not given that service account.',
    'Name one that it has, or let its operator add the key file to SLUICE_GOOGLE_ACCOUNTS.',
  ),
  google_account_broken: system(
    'The key file of the service account cannot be used.',
    'Let the operator put a key file from the Google Cloud console in its place, readable for the server.',
    false,
  ),
  drive_not_found: content(
    'Google Drive does not have it, or does not show it to this account.',
    'Check the link, and share the file or folder with the account that is named.',
  ),
  drive_denied: content(
    'Google refused the credentials, or what they may read.',
    'Check that the key or token is valid and that the Drive API is enabled in its project.',
  ),
  drive_trashed: content('It is in the trash of Google Drive.', 'Restore it there, then retry.'),
  drive_refused: content(
    'Google Drive does not give out the content of a file.',
    'Ingest what you export or download by hand, or ask with leave_out to go on without such files.',
  ),
  drive_changed: content(
    'A file in Google Drive changed while it was fetched.',
    'Fetch it again when it is stable.',
  ),
  drive_quota: system(
    'Google allows no more downloads of the file for now.',
    'Retry it after a day, or ingest a copy of the file.',
    false,
  ),
  drive_broken: system('The transfer from Google Drive broke.', 'It is tried again from where it stopped.'),
  remote_not_found: content('The remote host does not have that file or directory.', 'Check the path.'),
  remote_denied: content(
    'The remote host refused access.',
    'Check user, password or key, and what they may read there.',
  ),
  remote_refused: content(
    'The remote host does not give files this way.',
    'See the message; ask the operator of that host.',
  ),
  remote_link: content(
    'The remote directory holds a link or a special file.',
    'Name a directory without them, or ask with leave_out to go on without them.',
  ),
  remote_broken: system(
    'The transfer from the remote host broke.',
    'It is tried again from where it stopped.',
  ),
  host_key_unknown: content(
    'The ssh host key of the remote host is not known.',
    'Send it as host_key, or let the operator add it to known_hosts in SLUICE_SSH_DIR (ssh-keyscan shows it; compare it with what its operator says).',
  ),
  host_key_changed: content(
    'The remote host has another ssh host key than the known one.',
    'Ask its operator whether the key was changed; only then replace the known one.',
  ),
  ssh_key_unknown: caller(
    422,
    'This server does not have a private key of that name.',
    'Name one that lies in SLUICE_SSH_DIR, or send a private key.',
  ),
  s3_not_found: content('The store does not have that object or bucket.', 'Check bucket, key and region.'),
  s3_denied: content(
    'The store refused access.',
    'Check the keys, and that they have the permission that is named.',
  ),
  s3_expired: content('The access keys have expired.', 'Send it again with fresh keys.'),
  s3_refused: content('The store answered that the request is wrong.', 'See what it said.'),
  s3_changed: content('The object changed while it was fetched.', 'Fetch it again when it is stable.'),
  s3_short: content(
    'The store sent fewer bytes than it announced, again and again.',
    'Ask the owner of the store.',
  ),
  s3_broken: system('The transfer from the store broke.', 'It is tried again from where it stopped.'),
  too_many_files: content(
    'There are more files than one delivery may hold.',
    'Bring them in as several deliveries, each with a part of them.',
  ),
  duplicate_found: content(
    'The same bytes are in another dataset already.',
    'Use that one; or send it again with duplicates=keep.',
  ),
  rclone_not_configured: caller(
    422,
    'This server has no remotes of rclone.',
    'Let its operator name a configuration of rclone in SLUICE_RCLONE_CONFIG.',
  ),
  rclone_remote_unknown: caller(
    422,
    'The rclone configuration of this server has no such remote.',
    'Name one that it has, or let its operator add it.',
  ),
  rclone_remote_forbidden: caller(
    403,
    "The remote leads to the server's own disk.",
    'Use the source local for paths below SLUICE_LOCAL_ROOTS.',
  ),
  rclone_config_broken: system(
    'The rclone configuration of this server cannot be read.',
    'Let its operator check SLUICE_RCLONE_CONFIG and, when it is encrypted, SLUICE_RCLONE_CONFIG_PASS.',
    false,
  ),
  checksum_mismatch: content('The bytes are not those that were announced.', 'Send the file again.'),
  // extract
  archive_unsafe: content(
    'The archive holds an entry that would leave the dataset (a path or a link).',
    'Pack it again without absolute paths, ".." and links.',
  ),
  archive_bomb: content(
    'The archive expands beyond the limits.',
    'Send the files in smaller archives, or raise the limits.',
  ),
  archive_broken: content('The archive is damaged or cut off.', 'Send it again.'),
  archive_encrypted: content('The archive is protected by a password.', 'Send it without a password.'),
  archive_multivolume: content(
    'The archive is one of several volumes.',
    'Send it as one archive, or send its files.',
  ),
  archive_unsupported: content(
    'The archive uses a method that cannot be unpacked here.',
    'Pack it again as zip, tar.gz, tar.zst or plain 7z.',
  ),
  // convert, by the programs' own words
  bad_content: content('The data cannot be converted.', 'See the message of the converter.'),
  no_tiff: content(
    'There is no TIFF file among the files.',
    'Send .tif or .tiff files, or choose another sensor.',
  ),
  not_tiff: content('A file is not a TIFF.', 'Check the file, or choose another sensor.'),
  truncated: content('A file is cut off.', 'Send it again.'),
  slice_mismatch: content(
    'The slices differ in size or type.',
    'Send slices of one size and type, or as separate datasets.',
  ),
  empty_input: content('A file has no image.', 'Check the file.'),
  unsupported_type: content(
    'The values have a type that the product cannot hold.',
    'Convert the values to a supported type.',
  ),
  unsupported_samples: content(
    'The pixels have a number of samples that this sensor does not take.',
    'Use the sensor TIFF RGB.',
  ),
  not_netcdf: content('A file is not NetCDF.', 'Check the file, or choose another sensor.'),
  no_numeric_variable: content('The file has no numeric data variable.', 'Check the file.'),
  no_such_variable: content('The file has no variable of that name.', 'Choose one of those that are listed.'),
  no_idx: content('There is no IDX dataset among the files.', 'Send the .idx file together with its data.'),
  several_idx: content(
    'There are several IDX datasets among the files.',
    'Send one dataset, or name its main file visus.idx.',
  ),
  unsupported_shape: content(
    'The data have a number or size of axes that the product cannot hold.',
    'Send data of two to four dimensions.',
  ),
  unsupported_compression: content(
    'The file is compressed in a way that cannot be read.',
    'Save it again with a common compression.',
  ),
  no_proof: content('The product lacks the record it is proven by.', 'Convert again.'),
  unsafe_idx: content('The .idx file points outside the dataset.', 'Use relative names in the .idx file.'),
  missing_blocks: content(
    'Data files of the IDX dataset are missing or cannot be read.',
    'Send all its files.',
  ),
  program_failed: system('The program ended with an error.', 'It is tried again; see its log.'),
  program_stalled: system('The program made no progress.', 'It is tried again; see its log.'),
  program_timeout: system('The program ran longer than it may.', 'Raise its time limit.', false),
  program_memory: system('The program needed more memory than it may use.', 'Raise its memory limit.', false),
  program_missing: system(
    'The program that does this is not installed.',
    'Run `sluice doctor` on the worker.',
  ),
  // validate, publish
  product_differs: content(
    'The product is not equal to its source, so it was not published.',
    'Convert again; if it stays so, report it with the record.',
  ),
  product_incomplete: content('The product lacks files.', 'Convert again.'),
  // servers on this machine
  port_taken: system(
    'A port that is needed is taken by another program.',
    'End that program, or set the variable that is named to another port.',
    false,
  ),
  other_database: system(
    'The database was written by another version of its server.',
    'Start with that version, or move the database away.',
    false,
  ),
  foreign_keys: system(
    'This host does not have the keys of the installation.',
    'Copy keys.json from a host that has it; if it is lost for good, start once with SLUICE_NEW_KEYS=true.',
    false,
  ),
  already_running: caller(409, 'Sluice is already running here.', 'Use it, or stop it first.'),
  server_not_ready: system('A server that was started did not become ready.', 'See its log.'),
  // everywhere
  disk_full: system('There is no space left on the disk.', 'Free space, then retry it.'),
  terminated: system('Somebody terminated the workflow in Temporal.', 'Retry it.', false),
  cancelled: row('caller', 409, 'It was cancelled.', 'Start it again if that was a mistake.'),
  internal: row('system', 500, 'Something broke inside Sluice.', 'Report it with the log.', true),
} as const satisfies Readonly<Record<string, FailureRow>>;

export type FailureCode = keyof typeof FAILURES;

/** Whether the text is a code of the table. */
export function isFailureCode(text: unknown): text is FailureCode {
  return typeof text === 'string' && Object.hasOwn(FAILURES, text);
}

/** The row of a code. */
export function failureRow(code: FailureCode): FailureRow {
  return FAILURES[code];
}

/** What went wrong, as it is stored and shown: the code, a sentence naming the thing, what to do. */
export interface FailureNote {
  readonly code: FailureCode;
  readonly say: string;
  readonly remedy: string;
  readonly blame: Blame;
}

/** Words a failure: the detail when there is one (it names the thing), else the table's sentence. */
export function noteFailure(code: FailureCode, detail?: string): FailureNote {
  const { say, remedy, blame } = failureRow(code);
  return { code, say: detail ?? say, remedy, blame };
}
