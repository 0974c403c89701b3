// Ways to fail while bytes come in.
import { caller, content, type FailureRow, mendable, row, system } from './failure-row.js';

export const FETCH_FAILURES = {
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
  path_denied: mendable(
    'The server has no right to read the path.',
    'Let the operator of the server give its user the right to read it, and to enter the directories above it; then retry.',
  ),
  path_is_link: content('The path leads through a link.', 'Name the real path.'),
  file_changed: content('The file changed while it was read.', 'Ingest it again when it is complete.'),
  url_not_found: content('The server of the URL does not have that file.', 'Check the address.'),
  url_denied: mendable(
    'The server of the URL refused access.',
    'Check the credentials in the URL, and retry it with right ones.',
  ),
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
  drive_denied: mendable(
    'Google refused the credentials, or what they may read.',
    'Check that the key or token is valid and that the Drive API is enabled in its project.',
  ),
  drive_trashed: mendable('It is in the trash of Google Drive.', 'Restore it there, then retry.'),
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
  remote_denied: mendable(
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
  s3_denied: mendable(
    'The store refused access.',
    'Check the keys, and that they have the permission that is named.',
  ),
  s3_expired: mendable('The access keys have expired.', 'Retry it with fresh keys.'),
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
} as const satisfies Readonly<Record<string, FailureRow>>;
