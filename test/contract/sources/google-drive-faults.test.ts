// Source `google_drive` when Google refuses, slows down, breaks, or when files and tokens change meanwhile.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type GoogleStandIn, type Instead, startGoogle } from '../../support/google-drive.js';
import type { Item } from '../../support/google-drive-content.js';
import type { AccountKey } from '../../support/google-tokens.js';
import { Bench, failure, MIB, someBytes } from './bench.js';
import { connect, driveSource, EMAIL, SETTINGS } from './google-drive-bench.js';

const JOB = 'upload_1_0000000a';
let google: GoogleStandIn;
let key: AccountKey;
let bench: Bench;
let top: Item;
let file: Item;
const content = someBytes(10 * MIB);
const small = someBytes(1000);

beforeEach(async () => {
  google = await startGoogle();
  key = google.tokens.account(EMAIL);
  bench = await Bench.open(SETTINGS);
  connect(bench, google, key);
  top = google.content.folder('top', { sharedWith: [EMAIL] });
  file = google.content.file('f.bin', content, { parent: top.id });
});
afterEach(async () => {
  await google.close();
  await bench.close();
});
const run = () => bench.run(driveSource(top.id));
const media = (): number =>
  google.heard.filter((heard) => heard.media && heard.path.includes(file.id)).length;

/** Does it once, before the n-th request for the bytes of the file. */
function beforeMedia(n: number, work: () => void): void {
  let done = false;
  google.onRequest = () => {
    if (done || media() < n) return undefined;
    done = true;
    work();
    return undefined;
  };
}

/** Answers so, as often as told. */
function instead(
  answer: Instead,
  times: number,
  only: (path: string, isMedia: boolean) => boolean = () => true,
): void {
  let left = times;
  google.onRequest = ({ path, media: isMedia }) => {
    if (left === 0 || !only(path, isMedia)) return undefined;
    left -= 1;
    return answer;
  };
}

describe('survived', () => {
  test.each<[string, Instead]>([
    ['rateLimitExceeded', { status: 403, reason: 'rateLimitExceeded' }],
    ['userRateLimitExceeded', { status: 403, reason: 'userRateLimitExceeded' }],
    ['429', { status: 429, reason: 'rateLimitExceeded' }],
    ['500', { status: 500, reason: 'backendError' }],
    ['503', { status: 503 }],
  ])('a burst of %s, while listing and while bytes come', async (_what, answer) => {
    let number = 0;
    google.onRequest = () => {
      number += 1;
      // Eight in all: what one request may meet before it is given up.
      return number <= 4 || (number > 7 && number <= 11) ? answer : undefined;
    };
    await bench.prove(await run(), { 'f.bin': content });
    bench.proveProgress(content.length);
  });

  test('Retry-After is waited for', async () => {
    instead({ status: 429, headers: { 'retry-after': '1' } }, 1);
    const before = Date.now();
    await bench.prove(await run(), { 'f.bin': content });
    expect(Date.now() - before).toBeGreaterThanOrEqual(1_000);
  });

  test('a cut after every tenth of the file: no byte twice', async () => {
    google.cutAfter = MIB;
    await bench.prove(await run(), { 'f.bin': content });
    expect(google.heard.reduce((sum, { sent }) => sum + sent, 0)).toBe(content.length);
  });

  test('silence: a request that is never answered, and a body that stands still', async () => {
    google.onRequest = (_heard, number) => (number === 2 ? 'silence' : undefined);
    google.stallOnceAfter = MIB;
    const deps = { ...bench.deps, transfer: { ...SETTINGS, stallMs: 300 } };
    await bench.prove(await bench.run(driveSource(top.id), {}, deps), { 'f.bin': content });
    expect(google.stallOnceAfter).toBeUndefined();
  });

  test('a token that is over in mid-transfer is had anew, once for all', async () => {
    beforeMedia(3, () => google.tokens.expire());
    await bench.prove(await run(), { 'f.bin': content });
    expect(google.tokens.given).toBe(2);
  });

  test('a token that is over while it lists', async () => {
    google.content.folder('sub', { parent: top.id });
    let number = 0;
    google.onRequest = () => {
      number += 1;
      if (number === 3) google.tokens.expire();
      return undefined;
    };
    await bench.prove(await run(), { 'f.bin': content });
    expect(google.tokens.given).toBe(2);
  });

  test('an edit in mid-transfer, of another length: once more from the start, all of one version', async () => {
    const other = someBytes(9 * MIB);
    beforeMedia(3, () => google.content.edit(file.id, other));
    await bench.prove(await run(), { 'f.bin': other });
  });

  test('an edit in mid-transfer, of the same length; what did not change is not fetched again', async () => {
    google.content.file('same.bin', small, { parent: top.id });
    const other = someBytes(content.length);
    beforeMedia(3, () => google.content.edit(file.id, other));
    await bench.prove(await run(), { 'f.bin': other, 'same.bin': small });
    expect(google.heard.filter(({ sent }) => sent === small.length).length).toBe(1);
  });

  test('an edit between two attempts', async () => {
    google.pace = 100 * MIB;
    const paused = await bench.run(driveSource(top.id), {
      stop: { kind: 'pause', when: ({ done }) => done > 5 * MIB },
    });
    expect(paused.done).toBe(false);
    const other = someBytes(content.length);
    google.content.edit(file.id, other);
    await bench.prove(await run(), { 'f.bin': other });
  });

  test('renamed and moved away meanwhile: it is the file that was listed', async () => {
    beforeMedia(
      2,
      () =>
        void Object.assign(file, {
          name: 'new name',
          parent: google.content.folder('x', { sharedWith: [EMAIL] }).id,
        }),
    );
    await bench.prove(await run(), { 'f.bin': content });
  });

  test('a file that Google keeps no digests of', async () => {
    file.noDigests = true;
    await bench.prove(await run(), { 'f.bin': content });
  });
});

describe('ended, each with its code', () => {
  const onlyMedia = (_path: string, isMedia: boolean): boolean => isMedia;
  test.each<[string, string, boolean, () => void]>([
    [
      'insufficientFilePermissions',
      'drive_denied',
      true,
      () => instead({ status: 403, reason: 'insufficientFilePermissions' }, 1),
    ],
    [
      'accessNotConfigured',
      'drive_denied',
      true,
      () => instead({ status: 403, reason: 'accessNotConfigured' }, 1),
    ],
    ['a 403 without a reason', 'drive_denied', true, () => instead({ status: 403, reason: '' }, 1)],
    ['malware', 'drive_refused', true, () => void Object.assign(file, { abusive: true })],
    [
      'the quota of downloads',
      'drive_quota',
      true,
      () => instead({ status: 403, reason: 'downloadQuotaExceeded' }, 1, onlyMedia),
    ],
    ['400', 'drive_denied', true, () => instead({ status: 400, reason: 'badRequest' }, 1)],
    [
      'limits without end',
      'drive_broken',
      false,
      () => instead({ status: 403, reason: 'rateLimitExceeded' }, -1),
    ],
    ['500 without end', 'drive_broken', false, () => instead({ status: 500 }, -1)],
    ['401 without end', 'drive_denied', true, () => instead({ status: 401, reason: 'authError' }, -1)],
    ['a file in the trash', 'drive_trashed', true, () => void Object.assign(top, { trashed: true })],
    [
      'trashed meanwhile',
      'drive_trashed',
      true,
      () => beforeMedia(3, () => void Object.assign(file, { trashed: true })),
    ],
    [
      'its folder trashed meanwhile',
      'drive_trashed',
      true,
      () => beforeMedia(3, () => void Object.assign(top, { trashed: true })),
    ],
    [
      'deleted meanwhile',
      'drive_not_found',
      true,
      () => beforeMedia(3, () => void google.content.items.delete(file.id)),
    ],
    [
      'no longer shared',
      'drive_not_found',
      true,
      () => beforeMedia(3, () => void Object.assign(top, { sharedWith: [] })),
    ],
    [
      'edited again and again',
      'drive_changed',
      true,
      () => {
        google.onRequest = () =>
          void (media() > 0 && google.content.edit(file.id, someBytes(content.length))) as undefined;
      },
    ],
    [
      'a deleted key',
      'drive_denied',
      true,
      () => void google.tokens.instead.push({ status: 400, error: 'invalid_grant' }),
    ],
    [
      'a token endpoint that is down',
      'drive_broken',
      false,
      () => {
        for (let at = 0; at < 10; at++) google.tokens.instead.push({ status: 503, error: 'x' });
      },
    ],
  ])('%s: %s', async (_what, code, final, put) => {
    put();
    await expect(run()).rejects.toEqual(failure(code, final));
    // What was trashed may be restored.
    if (final && code !== 'drive_trashed') await bench.proveEmptyStaging();
  });

  test('what is not there names the address to share with', async () => {
    await expect(bench.run(driveSource('id_of_nothing'))).rejects.toMatchObject({
      type: 'drive_not_found',
      message: expect.stringContaining(EMAIL),
    });
  });

  test('bytes that are not those of the digest', async () => {
    const { masked } = google.content;
    google.content.masked = (item, mask) => ({
      ...masked.call(google.content, item, mask),
      ...(item === file ? { sha256Checksum: '0'.repeat(64) } : {}),
    });
    await expect(run()).rejects.toEqual(failure('checksum_mismatch'));
  });

  test('a key that was replaced by another one, and a file that is no key', async () => {
    connect(bench, google, { ...key, file: startless(key.file) });
    await expect(run()).rejects.toEqual(failure('google_account_broken'));
    connect(bench, google, { ...key, file: '{"type":"authorized_user"}' });
    await expect(run()).rejects.toEqual(failure('google_account_broken'));
    await expect(bench.run(driveSource(top.id, { account: 'other' }))).rejects.toEqual(
      failure('google_account_unknown'),
    );
  });
});

/** A key file whose key is cut. */
const startless = (text: string): string => {
  const parsed = JSON.parse(text) as { private_key: string };
  return JSON.stringify({ ...parsed, private_key: parsed.private_key.slice(0, 200) });
};

describe('tokens of somebody', () => {
  const own = () => driveSource(top.id, { sealed: true });
  const { account: _, ...withoutAccount } = driveSource('x');
  const asPerson = () => ({ ...withoutAccount, ...{ id: top.id, sealed: true } });

  test('a refresh token is exchanged, again when the token is over', async () => {
    google.tokens.refresh('1//refresh', EMAIL, 'client-1', 'client-secret');
    const oauth = { refresh_token: '1//refresh', client_id: 'client-1', client_secret: 'client-secret' };
    await bench.deps.secrets.seal(JOB, { oauth });
    beforeMedia(3, () => google.tokens.expire());
    await bench.prove(await bench.run(asPerson()), { 'f.bin': content });
    expect(google.tokens.given).toBe(2);
    expect(await bench.deps.secrets.open(JOB)).toBeUndefined();
  });

  test('an access token works until it is over, and the failure does not repeat it', async () => {
    const token = google.tokens.grant(EMAIL);
    await bench.deps.secrets.seal(JOB, { oauth: { access_token: token } });
    await bench.prove(await bench.run(asPerson()), { 'f.bin': content });
    google.tokens.expire();
    await bench.deps.secrets.seal('upload_2_0000000b', { oauth: { access_token: token } });
    const late = await bench.run(asPerson(), { jobId: 'upload_2_0000000b' }).catch((error: unknown) => error);
    expect(late).toEqual(failure('drive_denied'));
    expect(allOf(late)).not.toContain(token);
  });

  test('tokens that are no longer kept', async () => {
    await expect(bench.run(own())).rejects.toEqual(failure('drive_denied'));
  });
});

test('neither key nor token is in a failure, in progress or on the disk', async () => {
  instead({ status: 403, reason: 'insufficientFilePermissions' }, 1, (_path, isMedia) => isMedia);
  const failed = await run().catch((error: unknown) => error);
  expect(failed).toEqual(failure('drive_denied'));
  google.tokens.instead.push({ status: 400, error: 'invalid_grant' });
  const refused = await run().catch((error: unknown) => error);
  google.onRequest = () => undefined;
  await bench.prove(await run(), { 'f.bin': content });
  const files = allFiles(bench.roots.in).filter((path) => statSync(path).size < MIB);
  const texts = [
    allOf(failed),
    allOf(refused),
    JSON.stringify(bench.reports),
    ...files.map((path) => readFileSync(path, 'utf8')),
  ];
  expect(files.length).toBeGreaterThan(1);
  for (const text of texts) {
    expect(text).not.toContain('ya29.');
    expect(text).not.toContain(key.secret);
    expect(text).not.toContain('eyJ');
  }
});

/** Everything in an error and in its causes. */
function allOf(error: unknown): string {
  const parts: string[] = [];
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    parts.push(at.message, at.stack ?? '', JSON.stringify(Object.entries(at)));
  }
  return parts.join('\n');
}

const allFiles = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => join(parentPath, name));
