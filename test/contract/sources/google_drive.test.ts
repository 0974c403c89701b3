// Source `google_drive` by the contract, against the stand-in for Google.
import { afterAll, beforeAll, beforeEach } from '@jest/globals';
import { type GoogleStandIn, startGoogle } from '../../support/google-drive.js';
import type { Content } from '../../support/google-drive-content.js';
import type { AccountKey } from '../../support/google-tokens.js';
import { MIB, someBytes } from './bench.js';
import { sourceContract } from './contract.js';
import { connect, driveSource, EMAIL, SETTINGS } from './google-drive-bench.js';

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

/** The last file that was put, by its name. */
const put = new Map<string, string>();

/** A shared folder with these files, in folders as their paths say. */
function putFiles(files: Readonly<Record<string, Content>>): string {
  const top = google.content.folder('data', { sharedWith: [EMAIL] });
  const folders = new Map([['', top.id]]);
  for (const [path, content] of Object.entries(files)) {
    const parts = path.split('/');
    const name = parts.pop() ?? '';
    for (const at of parts.keys()) {
      const [folder, above] = [parts.slice(0, at + 1).join('/'), parts.slice(0, at).join('/')];
      const parent = folders.get(above) ?? top.id;
      if (!folders.has(folder)) folders.set(folder, google.content.folder(parts[at] ?? '', { parent }).id);
    }
    put.set(path, google.content.file(name, content, { parent: folders.get(parts.join('/')) ?? top.id }).id);
  }
  return top.id;
}

sourceContract('google_drive', {
  settings: SETTINGS,
  transfers: true,
  several: true,
  async put(bench, files) {
    connect(bench, google, key);
    google.pace = 100 * MIB;
    return driveSource(putFiles(files));
  },
  async nothing(bench) {
    connect(bench, google, key);
    return { source: driveSource(putFiles({})), code: 'no_files' };
  },
  given: () => google.heard.reduce((sum, { sent }) => sum + sent, 0),
  // In Drive a slash is a letter like any other.
  async putOdd(bench, files) {
    connect(bench, google, key);
    const parent = putFiles({});
    for (const [name, content] of Object.entries(files)) google.content.file(name, content, { parent });
    return driveSource(parent);
  },
  async putLarge(bench, bytes) {
    connect(bench, google, key);
    return driveSource(putFiles({ 'large.bin': { counted: bytes } }));
  },
  async denied(bench) {
    connect(bench, google, key);
    const { id } = google.content.folder('theirs', { sharedWith: ['somebody@example.org'] });
    return { source: driveSource(id), code: 'drive_not_found' };
  },
  change: {
    code: 'drive_changed',
    replace: (_bench, files) =>
      google.content.edit(put.get('a.bin') ?? '', files['a.bin'] ?? Buffer.alloc(0)),
  },
  throttle() {
    let left = 6;
    google.onRequest = () => {
      left -= 1;
      return left < 0 ? undefined : { status: left % 2 === 0 ? 429 : 403, reason: 'userRateLimitExceeded' };
    };
    google.pace = 10 * MIB;
  },
  async corrupt(bench) {
    connect(bench, google, key);
    const { masked } = google.content;
    const top = putFiles({ 'a.bin': someBytes(100) });
    google.content.masked = (item, mask) => ({
      ...masked.call(google.content, item, mask),
      ...(item.name === 'a.bin' ? { md5Checksum: '0'.repeat(32) } : {}),
    });
    return driveSource(top);
  },
  async end() {
    google.onRequest = () => undefined;
    Reflect.deleteProperty(google.content, 'masked');
  },
  cannot: {},
});
