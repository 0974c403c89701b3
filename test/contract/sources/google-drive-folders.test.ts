// Source `google_drive`: everything that may lie in a folder of Drive, and what becomes of it.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { digestOf } from '../../../src/bytes/receipts.js';
import type { Source } from '../../../src/domain/source.js';
import { type GoogleStandIn, startGoogle } from '../../support/google-drive.js';
import { DOCUMENT, type Item } from '../../support/google-drive-content.js';
import type { AccountKey } from '../../support/google-tokens.js';
import { Bench, failure, MIB, someBytes } from './bench.js';
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
  google.pageLimit = 1000;
});

describe('what may lie there', () => {
  let bench: Bench;
  let top: Item;
  beforeEach(async () => {
    bench = await Bench.open(SETTINGS);
    connect(bench, google, key);
    top = google.content.folder('top', { sharedWith: [EMAIL] });
  });
  afterEach(() => bench.close());
  const drive = () => google.content;
  const run = (source: Source = driveSource(top.id)) => bench.run(source);
  const bytes = someBytes(100);
  const tag = ({ id }: Item): string => digestOf(id).slice(0, 8);

  test('folders in folders, in pages of two', async () => {
    google.pageLimit = 2;
    const expected: Record<string, Buffer> = {};
    let parent = top.id;
    for (const path of ['', 'a/', 'a/b/']) {
      if (path !== '') parent = drive().folder(path.split('/').at(-2) ?? '', { parent }).id;
      for (const name of ['1.tif', '2.tif', '3.tif', '4.tif', '5.tif']) {
        expected[path + name] = someBytes(50);
        drive().file(name, expected[path + name] ?? bytes, { parent });
      }
    }
    await bench.prove(await run(), expected);
    const pages = google.heard.filter(({ query }) => query.get('q')?.includes(`'${top.id}'`));
    expect(pages.map(({ query }) => query.get('pageToken'))).toEqual([
      null,
      'page-2',
      'page-4',
      null,
      'page-2',
      'page-4',
    ]);
  });

  test('a single file by its id has its own name', async () => {
    const { id } = drive().file('one.tif', bytes, { parent: top.id });
    await bench.prove(await run(driveSource(id)), { 'one.tif': bytes });
  });

  test('equal names: the oldest keeps it, also between a file and a folder', async () => {
    const contents = [1, 2, 3, 4].map(() => someBytes(40));
    const files = contents.slice(0, 3).map((content) => drive().file('a.tif', content, { parent: top.id }));
    const folder = drive().folder('a.tif', { parent: top.id });
    drive().file('in.tif', contents[3] ?? bytes, { parent: folder.id });
    await bench.prove(await run(), {
      'a.tif': contents[0] ?? bytes,
      [`a-${tag(files[1] ?? top)}.tif`]: contents[1] ?? bytes,
      [`a-${tag(files[2] ?? top)}.tif`]: contents[2] ?? bytes,
      [`a-${tag(folder)}.tif/in.tif`]: contents[3] ?? bytes,
    });
  });

  test('names become parts of a path: what is replaced, cut, or marked', async () => {
    const names: [string, string][] = [
      ['a/b\\c', 'a_b_c'],
      ['line\nbreak\u0000nul', 'line_break_nul'],
      ['..', '_..'],
      ['.', '_.'],
      ['  ', '_'],
      ['C:\\boot.ini', 'C__boot.ini'],
      ['.staging', '_.staging'],
      ['e\u0301te\u0301 \u{1F9EA}.tif', 'été \u{1F9EA}.tif'],
      ['../../etc/passwd', '.._.._etc_passwd'],
      [`${'x'.repeat(300)}.tif`, `${'x'.repeat(196)}.tif`],
      ['--help', '--help'],
    ];
    const expected: Record<string, Buffer> = {};
    for (const [name, path] of names) {
      expected[path] = someBytes(20);
      drive().file(name, expected[path] ?? bytes, { parent: top.id });
    }
    await bench.prove(await run(), expected);
  });

  test('two names that differ only in what is replaced', async () => {
    const [one, two] = [someBytes(10), someBytes(10)];
    drive().file('a/b', one, { parent: top.id });
    const second = drive().file('a\\b', two, { parent: top.id });
    await bench.prove(await run(), { a_b: one, [`a_b-${tag(second)}`]: two });
  });

  test('a shared drive, by its own id and by a folder in it', async () => {
    const root = drive().folder('Drive', {
      id: '0AShared_drive_PVA',
      driveId: '0AShared_drive_PVA',
      sharedWith: [EMAIL],
    });
    const inside = { driveId: root.id };
    const folder = drive().folder('scans', { parent: root.id, ...inside });
    drive().file('s.tif', bytes, { parent: folder.id, ...inside });
    await bench.prove(await run(driveSource(root.id)), { 'scans/s.tif': bytes });
    await bench.prove(
      await bench.run(driveSource(folder.id, { drive: root.id }), { jobId: 'upload_2_0000000b' }),
      {
        's.tif': bytes,
      },
    );
    expect(google.heard.some(({ query }) => query.get('driveId') === root.id)).toBe(true);
  });

  test('shortcuts are followed: to files, to folders elsewhere, into another drive, never in circles', async () => {
    const inside = { driveId: '0AOther_drive_PVA', sharedWith: [EMAIL] };
    const elsewhere = drive().folder('elsewhere', { id: '0AOther_drive_PVA', ...inside });
    drive().file('e.tif', bytes, { parent: elsewhere.id, ...inside });
    const lone = drive().file('real name.tif', bytes, { sharedWith: [EMAIL] });
    const sub = drive().folder('sub', { parent: top.id });
    drive().file('s.tif', bytes, { parent: sub.id });
    drive().shortcut('lone.tif', lone.id, top.id);
    drive().shortcut('other', elsewhere.id, top.id);
    drive().shortcut('back', top.id, sub.id);
    drive().shortcut('twice', sub.id, top.id);
    drive().shortcut('there and back', top.id, elsewhere.id);
    const expected = { 'lone.tif': bytes, 'other/e.tif': bytes, 'sub/s.tif': bytes };
    await bench.prove(await run(), expected);
    const { id } = drive().shortcut('way in', sub.id, top.id);
    await bench.prove(await bench.run(driveSource(id), { jobId: 'upload_2_0000000b' }), {
      's.tif': bytes,
      'back/lone.tif': bytes,
      'back/other/e.tif': bytes,
    });
  });

  test('documents of Google become files; a large export comes by its link', async () => {
    const types = {
      document: ['application/pdf', 'pdf'],
      spreadsheet: ['application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx'],
      presentation: ['application/vnd.openxmlformats-officedocument.presentationml.presentation', 'pptx'],
      drawing: ['image/png', 'png'],
    };
    const expected: Record<string, Buffer> = { 'notes.pdf': bytes };
    drive().file('notes.pdf', bytes, { parent: top.id });
    for (const [type, [mimeType = '', extension]] of Object.entries(types)) {
      const content = someBytes(type === 'document' ? 11 * MIB : 1000);
      const item = { name: 'notes', mimeType: `application/vnd.google-apps.${type}`, parent: top.id };
      const { id } = drive().add({ ...item, exports: { [mimeType]: content } });
      expected[type === 'document' ? `notes-${digestOf(id).slice(0, 8)}.pdf` : `notes.${extension}`] =
        content;
    }
    await bench.prove(await run(), expected);
    bench.proveProgress(Object.values(expected).reduce((sum, { length }) => sum + length, 0));
    expect(google.heard.filter(({ path }) => path.startsWith('/export-link/')).length).toBe(1);
  });

  test('an export that came before a pause is not exported again', async () => {
    const exports = { 'application/pdf': someBytes(1000) };
    drive().add({ name: 'notes', mimeType: DOCUMENT, parent: top.id, exports });
    const large = someBytes(20 * MIB);
    drive().file('large.bin', large, { parent: top.id });
    google.pace = 100 * MIB;
    await bench.run(driveSource(top.id), { stop: { kind: 'pause', when: ({ done }) => done > 10 * MIB } });
    await bench.prove(await run(), { 'notes.pdf': exports['application/pdf'], 'large.bin': large });
    expect(google.heard.filter(({ path }) => path.endsWith('/export')).length).toBe(1);
  });

  describe('what Google does not give out', () => {
    const form = { mimeType: 'application/vnd.google-apps.form' };
    test.each<[string, string, () => void]>([
      ['a form', 'drive_refused', () => drive().add({ name: 'form', parent: top.id, ...form })],
      ['a shortcut to nothing', 'drive_not_found', () => drive().shortcut('gone', 'id_that_is_gone', top.id)],
      [
        'a shortcut into the trash',
        'drive_trashed',
        () =>
          drive().shortcut(
            'old',
            drive().file('old', bytes, { trashed: true, sharedWith: [EMAIL] }).id,
            top.id,
          ),
      ],
      [
        'a file without downloads',
        'drive_refused',
        () => drive().file('x', bytes, { parent: top.id, noDownload: true }),
      ],
      [
        'a folder that is not shared',
        'drive_not_found',
        () => drive().shortcut('theirs', drive().folder('theirs', { sharedWith: [] }).id, top.id),
      ],
    ])('%s ends it, or is left out when asked to', async (_what, code, put) => {
      drive().file('good.tif', bytes, { parent: top.id });
      put();
      await expect(run()).rejects.toEqual(failure(code));
      await bench.proveEmptyStaging();
      const output = await run(driveSource(top.id, { leavesOut: true }));
      await bench.prove(output, { 'good.tif': bytes });
      expect(output).toMatchObject({ delivery: { leftOut: { count: 1, names: [expect.any(String)] } } });
    });
  });

  test('folders deeper than a hundred are refused', async () => {
    let parent = top.id;
    for (let depth = 0; depth <= 100; depth++) parent = drive().folder('d', { parent }).id;
    drive().file('deep.tif', bytes, { parent });
    await expect(run()).rejects.toEqual(failure('too_many_files'));
  });

  test('a file that only a key of its link opens', async () => {
    const { id } = drive().file('old.tif', bytes, { sharedWith: [EMAIL], linkKey: '0-secretOfTheLink' });
    await bench.deps.secrets.seal('upload_1_0000000a', { linkKeys: { [id]: '0-secretOfTheLink' } });
    await bench.prove(await run(driveSource(id, { sealed: true })), { 'old.tif': bytes });
    await expect(bench.run(driveSource(id), { jobId: 'upload_2_0000000b' })).rejects.toEqual(
      failure('drive_not_found'),
    );
  });

  test('120 files through bursts of limits, each fetched once', async () => {
    const expected: Record<string, Buffer> = {};
    for (let at = 0; at < 120; at++) {
      expected[`f${at}.bin`] = someBytes(200);
      drive().file(`f${at}.bin`, expected[`f${at}.bin`] ?? bytes, { parent: top.id });
    }
    google.onRequest = (_heard, number) =>
      number % 30 < 5 ? { status: 403, reason: 'userRateLimitExceeded' } : undefined;
    try {
      await bench.prove(await run(), expected);
    } finally {
      google.onRequest = () => undefined;
    }
    bench.proveProgress(120 * 200);
    expect(google.heard.filter(({ sent }) => sent > 0).length).toBe(120);
  });
});
