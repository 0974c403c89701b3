// What the tests of the source `google_drive` share: the stand-in for Google, and a bench that asks it.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { GoogleDriveSource } from '../../../src/domain/source.js';
import { openGoogleAccounts } from '../../../src/secrets/google-accounts.js';
import type { GoogleStandIn } from '../../support/google-drive.js';
import type { AccountKey } from '../../support/google-tokens.js';
import { type Bench, MIB } from './bench.js';

export const SETTINGS = { pieceBytes: 2 * MIB, parallelAbove: 8 * MIB, backOffMs: 2, stallMs: 1_000 };
export const EMAIL = 'reader@survey.iam.gserviceaccount.com';

/** Lets the fetcher of this bench ask the stand-in, as the account `survey`. */
export function connect(bench: Bench, google: GoogleStandIn, key: AccountKey): void {
  const directory = join(bench.dir, 'accounts');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'survey.json'), key.file);
  const accounts = openGoogleAccounts([{ path: directory }]);
  bench.extend({ drive: { accounts, root: `${google.origin}/`, tokens: `${google.origin}/token` } });
}

export const driveSource = (id: string, more: Partial<GoogleDriveSource> = {}): GoogleDriveSource => ({
  kind: 'google_drive',
  id,
  account: 'survey',
  sealed: false,
  ...more,
});
