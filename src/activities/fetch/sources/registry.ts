// The sources. A new one is a variant in domain/source.ts, a file beside this one, and a line here.
import type { SourceDeps, Sources } from '../source.js';
import { googleDriveSource } from './google_drive.js';
import { localSource } from './local.js';
import { rcloneSource } from './rclone.js';
import { receivedSource } from './received.js';
import { rsyncSource } from './rsync.js';
import { s3Source } from './s3.js';
import { urlSource } from './url.js';

export function createSources(deps: SourceDeps): Sources {
  return {
    received: receivedSource(deps),
    local: localSource(deps),
    url: urlSource(deps),
    google_drive: googleDriveSource(deps),
    rsync: rsyncSource(deps),
    rclone: rcloneSource(deps),
    s3: s3Source(deps),
  };
}
