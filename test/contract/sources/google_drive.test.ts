// Source `google_drive` by the contract, against the stand-in for Google; and what only Drive can meet.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import type { GoogleDriveSource, Source } from '../../../src/domain/source.js';
import { openGoogleAccounts } from '../../../src/secrets/google-accounts.js';
import { type GoogleStandIn, startGoogle } from '../../support/google-drive.js';
import type { AccountKey } from '../../support/google-tokens.js';
import { type Bench, MIB } from './bench.js';
import { sourceContract } from './contract.js';

const SETTINGS = { pieceBytes: 2 * MIB, parallelAbove: 8 * MIB, backOffMs: 5, stallMs: 1_000 };
const EMAIL = 'reader@survey.iam.gserviceaccount.com';
let google: GoogleStandIn;
let key: AccountKey;
beforeAll(async () => {
  google = await startGoogle();
  key = google.tokens.account(EMAIL);
});
afterAll(() => google.close());
beforeEach(() => {
  google.heard.length = 0;
  google.pace = undefined;
});

/** Lets the fetcher of this bench ask the stand-in, as the account `survey`. */
function connect(bench: Bench): void {
  const directory = join(bench.dir, 'accounts');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'survey.json'), key.file);
  const accounts = openGoogleAccounts([{ path: directory }]);
  bench.extend({ drive: { accounts, root: `${google.origin}/`, tokens: `${google.origin}/token` } });
}

const source = (id: string, more: Partial<GoogleDriveSource> = {}): Source => ({
  kind: 'google_drive',
  id,
  account: 'survey',
  sealed: false,
  ...more,
});

sourceContract('google_drive', {
  settings: SETTINGS,
  transfers: true,
  async put(bench, files) {
    connect(bench);
    google.pace = 100 * MIB;
    const folder = google.content.folder('data', { sharedWith: [EMAIL] });
    for (const [name, content] of Object.entries(files))
      google.content.file(name, content, { parent: folder.id });
    return source(folder.id);
  },
  async nothing(bench) {
    connect(bench);
    return { source: source(google.content.folder('empty', { sharedWith: [EMAIL] }).id), code: 'no_files' };
  },
  given: () => google.heard.reduce((sum, { sent }) => sum + sent, 0),
});
