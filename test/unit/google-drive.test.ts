// Google Drive: how a request names it, which account may be named, what is sealed; what Google's refusals mean.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Gate } from '../../src/activities/fetch/drive/gate.js';
import { FolderNames, safePart } from '../../src/activities/fetch/drive/names.js';
import { reasonsIn, verdictOn } from '../../src/activities/fetch/drive/refusal.js';
import { classify } from '../../src/cli/source.js';
import { loadConfig } from '../../src/config/env.js';
import { type GoogleAccounts, openGoogleAccounts } from '../../src/secrets/google-accounts.js';
import { googleDriveOffer } from '../../src/sources/google_drive.js';
import type { OfferDeps } from '../../src/sources/offer.js';
import { checkSource, offerOf, sourceSchema } from '../../src/sources/registry.js';
import { GoogleTokens } from '../support/google-tokens.js';

const ID = '1AbCdEfGhIjKlMnOpQrStUvWxYz-0_9';
let dir: string;
let accounts: GoogleAccounts;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sluice-google-'));
  mkdirSync(join(dir, 'keys'));
  const { file } = new GoogleTokens().account('a@p.iam.gserviceaccount.com');
  for (const path of ['keys/survey.json', 'keys/atlas.json', 'other.json', 'secret.json']) {
    writeFileSync(join(dir, path), file);
  }
  writeFileSync(join(dir, 'keys/notes.txt'), 'no key');
  symlinkSync(join(dir, 'keys/survey.json'), join(dir, 'link.json'));
  accounts = openGoogleAccounts([
    { path: join(dir, 'keys') },
    { name: 'third', path: join(dir, 'other.json') },
  ]);
});

afterAll(() => rmSync(dir, { recursive: true }));

const check = async (body: object, known = accounts) =>
  await checkSource(
    sourceSchema.parse({ type: 'google_drive', ...body }),
    // It looks at nothing else.
    { googleAccounts: known } as unknown as OfferDeps,
  );
const refusal = async (body: object, known = accounts) =>
  await check(body, known).then(
    () => undefined,
    (error: { code?: string; message: string }) => error,
  );

describe('links', () => {
  test.each([
    ID,
    ` ${ID}\n`,
    `https://drive.google.com/file/d/${ID}/view?usp=sharing`,
    `https://drive.google.com/file/u/1/d/${ID}/edit`,
    `https://drive.google.com/open?id=${ID}`,
    `https://drive.google.com/uc?export=download&id=${ID}`,
    `https://drive.google.com/drive/folders/${ID}?usp=drive_link`,
    `https://drive.google.com/drive/u/0/folders/${ID}`,
    `https://drive.google.com/a/example.org/file/d/${ID}/view`,
    `https://docs.google.com/document/d/${ID}/edit#heading=h.1`,
    `https://docs.google.com/spreadsheets/d/${ID}/edit?gid=0#gid=0`,
    `https://docs.google.com/presentation/d/${ID}/`,
    `https://drive.usercontent.google.com/download?id=${ID}&export=download`,
    `https://drive.google.com/drive/u/0/team-drives/${ID}`,
    `HTTPS://DRIVE.GOOGLE.COM/drive/folders/${ID}`,
  ])('%s', async (id) => {
    expect((await check({ id, account: 'survey' })).source).toEqual({
      kind: 'google_drive',
      id: ID,
      account: 'survey',
      sealed: false,
    });
  });

  test.each([
    'https://example.org/file/d/x',
    'https://drive.google.com.evil.example/file/d/x1234/view',
    'https://drive.google.com/',
    'https://drive.google.com/drive/my-drive?secret=x',
    "x' in parents or '",
    '../../etc',
    'a b c d e',
  ])('%s is none, and is not repeated', async (id) => {
    const refused = await refusal({ id, account: 'survey' });
    expect(refused).toMatchObject({ code: 'invalid_field', message: expect.not.stringContaining(id) });
  });

  test('the key of a link is sealed', async () => {
    const checked = await check({
      id: `https://drive.google.com/file/d/${ID}/view?resourcekey=0-abc`,
      account: 'survey',
    });
    expect(checked).toEqual({
      source: { kind: 'google_drive', id: ID, account: 'survey', sealed: true },
      secret: { linkKeys: { [ID]: '0-abc' } },
    });
  });

  test('on the command line, before other addresses', () => {
    const link = `https://drive.google.com/drive/folders/${ID}`;
    expect(classify(link, { account: 'survey' })).toMatchObject({
      body: { type: 'google_drive', id: link, account: 'survey' },
    });
    expect(classify(`gdrive:${ID}`)).toMatchObject({
      name: `Google Drive ${ID}`,
      body: { type: 'google_drive', id: ID },
    });
    expect(classify('https://drive.example.com/x')).toMatchObject({ body: { type: 'url' } });
    expect(classify('gdrive/x.tif')).toEqual({ kind: 'path', path: 'gdrive/x.tif' });
  });
});

describe('accounts', () => {
  test('a name, and the path of a configured key file, also through a link', async () => {
    expect(await accounts.names()).toEqual(['atlas', 'survey', 'third']);
    for (const account of [
      'survey',
      join(dir, 'keys/survey.json'),
      join(dir, 'link.json'),
      join(dir, 'keys/../keys/survey.json'),
    ]) {
      expect((await check({ id: ID, account })).source).toMatchObject({ account: 'survey' });
    }
    expect(await accounts.key('third')).toMatchObject({ email: 'a@p.iam.gserviceaccount.com' });
  });

  test.each(['SECRET', '/etc/passwd', '/no/such/file', 'nobody', '../secret.json'])(
    'any other file or name is refused alike: %s',
    async (account) => {
      const refused = await refusal({ id: ID, account: account.replace('SECRET', join(dir, 'secret.json')) });
      expect(refused).toMatchObject({
        code: 'google_account_unknown',
        message: expect.stringContaining('It has atlas, survey, third.'),
      });
    },
  );

  test('left out: the only one; among several it must be named', async () => {
    const only = openGoogleAccounts([{ name: 'one', path: join(dir, 'other.json') }]);
    expect((await check({ id: ID }, only)).source).toMatchObject({ account: 'one' });
    expect(await refusal({ id: ID })).toMatchObject({ code: 'google_account_unknown' });
    expect(await refusal({ id: ID }, openGoogleAccounts([]))).toMatchObject({
      message: expect.stringContaining('It has none'),
    });
  });

  test('older clients name a key file, a shared drive, a link', async () => {
    const config = offerOf('google_drive').compat?.config;
    const read = (value: object) => config?.parse(value);
    const file = join(dir, 'keys/survey.json');
    expect(read({ file_id: ID, service_account_file: file, shared_drive_id: '0A123' })).toEqual({
      type: 'google_drive',
      id: ID,
      account: file,
      drive: '0A123',
    });
    const link = `https://drive.google.com/drive/folders/${ID}`;
    expect(read({ folder_link: link, user_email: 'ada@example.org' })).toEqual({
      type: 'google_drive',
      id: link,
    });
    expect(config?.safeParse({ service_account_file: file }).error?.issues[0]?.path).toEqual(['file_id']);
    const oauth = { access_token: 'ya29.x' };
    expect(read({ file_id: ID, use_oauth: true, oauth })).toEqual({ type: 'google_drive', id: ID, oauth });
    expect(read({ file_id: ID, use_oauth: false, account: 'survey' })).toMatchObject({ account: 'survey' });
  });

  test('tokens of the request are sealed, never beside an account', async () => {
    const oauth = { refresh_token: '1//r', client_id: 'c', client_secret: 's' };
    expect(await check({ id: ID, oauth })).toEqual({
      source: { kind: 'google_drive', id: ID, sealed: true },
      secret: { oauth },
    });
    expect(await refusal({ id: ID, oauth, account: 'survey' })).toMatchObject({ code: 'invalid_field' });
    expect(
      googleDriveOffer.schema.safeParse({ type: 'google_drive', id: ID, oauth: { refresh_token: 'x' } })
        .success,
    ).toBe(false);
  });

  test('the setting: directories, files, and names', () => {
    const text = `${join(dir, 'keys')}, third=${join(dir, 'other.json')},${join(dir, 'secret.json')}`;
    expect(loadConfig({ SLUICE_GOOGLE_ACCOUNTS: text }, dir).googleAccounts).toEqual([
      { path: join(dir, 'keys') },
      { name: 'third', path: join(dir, 'other.json') },
      { path: join(dir, 'secret.json') },
    ]);
    expect(loadConfig({ SLUICE_GOOGLE_ACCOUNTS: 'keys' }, dir).googleAccounts).toEqual([
      { path: join(dir, 'keys') },
    ]);
    for (const wrong of ['a=missing.json', 'missing', 'a=keys']) {
      expect(() => loadConfig({ SLUICE_GOOGLE_ACCOUNTS: wrong }, dir)).toThrow(/SLUICE_GOOGLE_ACCOUNTS/);
    }
  });
});

describe('names', () => {
  test.each(['a/b', '..', '\u0000', '\uD800', 'x'.repeat(500), '   ', '.secrets', 'c:\\x', '🧪'.repeat(100)])(
    '%j becomes one part of a path that every check takes',
    (name) => {
      const part = safePart(name);
      expect(part).not.toMatch(/[/\\\p{Cc}\p{Cs}]/u);
      expect(Buffer.byteLength(part)).toBeLessThanOrEqual(255);
      expect(safePart(part)).toBe(part);
    },
  );

  test('a name that looks like a made one does not meet it', () => {
    const names = new FolderNames();
    const first = names.take('a.tif', '1');
    const made = names.take('a.tif', '2');
    const all = [first, made, names.take(made, '3'), names.take('a.tif', '2')];
    expect(new Set(all).size).toBe(4);
  });
});

describe('refusals', () => {
  const asked = { thing: 'it', who: 'a@b' };
  test.each([
    [403, 'rateLimitExceeded', { again: 'slower' }],
    [403, 'userRateLimitExceeded', { again: 'slower' }],
    [429, 'x', { again: 'slower' }],
    [500, 'x', { again: 'broken' }],
    [401, 'authError', { again: 'token' }],
    [403, 'insufficientFilePermissions', { code: 'drive_denied' }],
    [403, 'cannotDownloadAbusiveFile', { code: 'drive_refused' }],
    [403, 'downloadQuotaExceeded', { code: 'drive_quota' }],
    [404, 'notFound', { code: 'drive_not_found' }],
  ])('%i %s', (status, reason, verdict) => {
    expect(verdictOn({ status, reasons: [reason], retryAfter: undefined }, asked)).toMatchObject(verdict);
  });

  test('reasons are read where they stand, and only words', () => {
    expect(
      reasonsIn('{"error":{"errors":[{"reason":"a"}],"details":[{"reason":"SERVICE_DISABLED"}]}}'),
    ).toEqual(['a', 'SERVICE_DISABLED']);
    expect(reasonsIn({ error: 'invalid_grant' })).toEqual(['invalid_grant']);
    for (const odd of [
      '<html>',
      '',
      null,
      { error: { errors: [{ reason: 'x\ny' }, null, 1] } },
      { error: ['a'] },
    ]) {
      expect(reasonsIn(odd)).toEqual([]);
    }
  });

  test('requests that were refused together close the gate once', async () => {
    let waits = 0;
    const signal = new AbortController().signal;
    const gate = new Gate({ backOffMs: 40, signal, waits: () => (waits += 1) });
    const since = Date.now() - 1;
    for (let at = 0; at < 8; at++) gate.close(since);
    await gate.pass();
    // Eight pauses that double would be ten seconds.
    expect(Date.now() - since).toBeLessThan(1_000);
    expect(waits).toBeGreaterThan(0);
  });
});
