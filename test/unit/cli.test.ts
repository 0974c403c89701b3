// The pure parts of the command line: what is named, what is refused, what follows a failure, how it is shown.
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { outcomeOf } from '../../src/cli/delivery.js';
import { CliError, exitCodeOfStatus, explain } from '../../src/cli/exit.js';
import { overWith } from '../../src/cli/follow.js';
import { addParameter, checkIngest, type IngestOptions, localEmail } from '../../src/cli/ingest-options.js';
import type { Io } from '../../src/cli/io.js';
import { endOf, printEnd } from '../../src/cli/outcome.js';
import { type Phase, phaseOf, sendingPhase } from '../../src/cli/phase.js';
import { LineView } from '../../src/cli/progress-view.js';
import { backOff, MAX_RESENDS, nextStep, type Outcome } from '../../src/cli/resend.js';
import { classify, listFiles } from '../../src/cli/source.js';
import { ageWords, bytesWords, pairs, spanWords, table } from '../../src/cli/words.js';
import { ApiError } from '../../src/client/api-error.js';
import { ConfigError, loadConfig } from '../../src/config/env.js';
import { createDatasetSchema, type DatasetDetail } from '../../src/contracts/http.js';
import { Fault } from '../../src/domain/fault.js';

const config = loadConfig({}, tmpdir());

test.each([
  ['data/a.tif', 'path'],
  ['./s3:odd', 'path'],
  ['C:\\data', 'path'],
  ['-', 'path'],
  ['http://example.org/a.tif', 'source'],
  ['HTTPS://example.org/a.tif', 'source'],
  ['s3://bucket/a.tif', 'source'],
])('the source %s is a %s', (text, kind) => {
  expect(classify(text).kind).toBe(kind);
});

describe('options of ingest', () => {
  const check = (more: Partial<IngestOptions>) =>
    checkIngest({ source: 'dir/scan.tif', sensor: 'TIFF', ...more }, config);

  test('give fields that the API takes, with a name and an owner by default', () => {
    const { fields } = check({ parameters: { level: 3 }, tags: 'a,b', public: true, convert: false });
    expect(fields).toMatchObject({ name: 'scan.tif', convert: 'false', is_public: 'true', tags: 'a,b' });
    expect(createDatasetSchema.parse(fields)).toMatchObject({ parameters: { level: 3 }, convert: false });
  });

  test('what happens to bytes that are known is told only when it is not the usual', () => {
    expect(check({ duplicates: 'link' }).fields).toMatchObject({ duplicates: 'link' });
    expect(check({ duplicates: 'keep' }).fields).not.toHaveProperty('duplicates');
  });

  test('an owner comes from the option, then from the setting', () => {
    const set = { ...config, client: { email: 'set@example.org' } };
    const owner = (email?: string) =>
      checkIngest({ source: 'a', sensor: 'TIFF', email }, set).fields.user_email;
    expect([owner(), owner('ada@example.org')]).toEqual(['set@example.org', 'ada@example.org']);
  });

  test('an S3 source takes endpoint, region and keys of the command line along', () => {
    const keys = { accessKeyId: 'AKID', secretAccessKey: 's', sessionToken: 't' };
    const set = { ...config, client: { s3: { endpoint: 'https://a.example', region: 'r-1', keys } } };
    const bodyOf = (more: Partial<IngestOptions>) =>
      checkIngest({ source: 's3://bucket/dir/', sensor: 'TIFF', ...more }, set);
    const sealed = { access_key_id: 'AKID', secret_access_key: 's', session_token: 't' };
    expect(bodyOf({ region: 'r-2' })).toMatchObject({
      named: {
        name: 'dir',
        body: {
          type: 's3',
          bucket: 'bucket',
          key: 'dir/',
          endpoint: 'https://a.example',
          region: 'r-2',
          ...sealed,
        },
      },
    });
    expect(bodyOf({ endpoint: 'http://b.example' })).toMatchObject({
      named: { body: { endpoint: 'http://b.example', region: 'r-1' } },
    });
    expect(JSON.stringify(bodyOf({}).fields)).not.toContain('AKID');
  });

  test.each(['root', 'Ada Lovelace', 'DOMAIN\\ada', '-x-', 'ø', ''])(
    '%p has a local address that passes',
    (user) => {
      expect(createDatasetSchema.shape.user_email.safeParse(localEmail(user)).success).toBe(true);
    },
  );

  test.each<[string, Partial<IngestOptions>, RegExp]>([
    ['an unknown sensor', { sensor: 'tiff' }, /Did you mean "TIFF"/],
    ['a parameter that its sensor lacks', { parameters: { columns: 3 } }, /--param: .*columns/],
    [
      'a compression that the output lacks',
      { output: 'zarr', parameters: { compression: 'zip' } },
      /--param: .*compression: the output zarr has zstd or lz4, not zip/,
    ],
    ['no e-mail address', { email: 'nobody' }, /--email/],
    ['an empty name', { name: ' ' }, /--name/],
    ['a rule for duplicates that there is not', { duplicates: 'drop' }, /--duplicates/],
    ['an S3 source without a bucket', { source: 's3:///b' }, /bucket must be the name of a bucket/],
    ['a broken URL', { source: 'http://' }, /no URL/],
  ])('%s is wrong usage', (_, more, words) => {
    const refused = thrownBy(() => check(more));
    expect(explain(refused)).toMatchObject({ exitCode: 2, say: expect.stringMatching(words) });
  });

  test('another spelling of a sensor is taken', () => {
    expect(check({ sensor: '4D_Probe' }).fields.sensor).toBe('4D_NEXUS');
  });

  test('parameters read as JSON where they are, else as text', () => {
    const all = ['variable=temp=2', 'level=3', 'flag=true', 'list=[1,2]', 'empty='].reduce(
      (before, text) => addParameter(text, before),
      {},
    );
    expect(all).toEqual({ variable: 'temp=2', level: 3, flag: true, list: [1, 2], empty: '' });
    for (const text of ['foo', '=1', '1a=2']) expect(() => addParameter(text)).toThrow(CliError);
    expect(() => addParameter('level=4', all)).toThrow(/twice/);
  });
});

describe('files to send', () => {
  let top: string;
  beforeAll(() => {
    top = mkdtempSync(join(tmpdir(), 'sluice-cli-'));
    for (const name of ['d/b.tif', 'd/a/z.tif', 'd/.git/config', 'd/.hidden', 'e/empty.tif']) {
      mkdirSync(join(top, name, '..'), { recursive: true });
      writeFileSync(join(top, name), name.startsWith('e/') ? '' : name);
    }
    mkdirSync(join(top, 'none'));
    mkdirSync(join(top, 'm'));
    writeFileSync(join(top, 'm/full'), 'full');
    writeFileSync(join(top, 'm/hollow'), '');
    symlinkSync(join(top, 'd/b.tif'), join(top, 'named.tif'));
    mkdirSync(join(top, 'l'));
    symlinkSync(join(top, 'd/b.tif'), join(top, 'l/file'));
    symlinkSync(join(top, 'd'), join(top, 'l/dir'));
    symlinkSync(join(top, 'gone'), join(top, 'l/dangling'));
  });
  afterAll(() => rmSync(top, { recursive: true }));

  test('a directory gives all files by their way below it, sorted; hidden ones are told', async () => {
    const found = await listFiles(join(top, 'd'));
    expect(found.files.map(({ name, size }) => [name, size])).toEqual([
      ['a/z.tif', 9],
      ['b.tif', 7],
    ]);
    expect(found).toMatchObject({ bytes: 16, onlyHere: true });
    expect(found.skipped).toEqual(['".git" is hidden', '".hidden" is hidden']);
  });

  test('a file keeps the name by which the user called it', async () => {
    const [direct, linked] = [await listFiles(join(top, 'd/b.tif')), await listFiles(join(top, 'named.tif'))];
    expect(direct).toMatchObject({ onlyHere: false, files: [{ name: 'b.tif' }] });
    expect(linked).toMatchObject({ onlyHere: true, files: [{ name: 'named.tif', size: 7 }] });
  });

  test('links to files are followed, links to directories are left out', async () => {
    const found = await listFiles(join(top, 'l'));
    expect(found.files.map(({ name }) => name)).toEqual(['file']);
    expect([...found.skipped].sort()).toEqual([
      '"dangling" is a link that leads nowhere',
      '"dir" is a link to a directory',
    ]);
  });

  test.each([
    ['gone', 2, /does not exist/],
    ['none', 2, /no file to send/],
    ['e', 1, /empty/],
    ['m', 1, /"hollow" is empty/],
  ])('%s ends with %i', async (name, exitCode, words) => {
    const refused = await listFiles(join(top, name)).catch((error: unknown) => error);
    expect(explain(refused)).toMatchObject({ exitCode, say: expect.stringMatching(words) });
  });
});

test.each<[Outcome, number, string]>([
  [{ kind: 'unreachable' }, 0, 'wait'],
  [{ kind: 'unreachable' }, MAX_RESENDS, 'wait'],
  [{ kind: 'lost' }, 0, 'send'],
  [{ kind: 'lost' }, MAX_RESENDS, 'give up'],
  [{ kind: 'refused', status: 409, code: 'idempotency_running' }, MAX_RESENDS, 'wait'],
  [{ kind: 'refused', status: 409, code: 'conflict' }, 0, 'give up'],
  [{ kind: 'refused', status: 503, code: 'store_unavailable' }, 0, 'wait'],
  [{ kind: 'refused', status: 429, code: 'too_many_streams' }, 0, 'wait'],
  [{ kind: 'refused', status: 422, code: 'upload_interrupted' }, 0, 'send'],
  [{ kind: 'refused', status: 422, code: 'upload_interrupted' }, MAX_RESENDS, 'give up'],
  [{ kind: 'refused', status: 422, code: 'idempotency_mismatch' }, 0, 'give up'],
  [{ kind: 'refused', status: 507, code: 'disk_full' }, 0, 'give up'],
  [{ kind: 'failed', code: 'upload_interrupted' }, MAX_RESENDS - 1, 'replace'],
  [{ kind: 'failed', code: 'upload_interrupted' }, MAX_RESENDS, 'give up'],
  [{ kind: 'failed', code: 'not_tiff' }, 0, 'give up'],
])('after %j and %i resends: %s', (outcome, resends, wanted) => {
  const step = nextStep(outcome, resends);
  const word = step.do === 'repeat' ? (step.counts ? 'send' : 'wait') : step.do;
  expect(word).toBe(wanted);
});

test('waiting grows to five seconds and stays there', () => {
  expect([0, 1, 2, 3, 30].map(backOff)).toEqual([1000, 2000, 4000, 5000, 5000]);
});

test('what the wire does is told apart from what the server says and from what the disk does', () => {
  const coded = (code: string, more: object = {}) => Object.assign(new Error(code), { code, ...more });
  const kinds = [
    coded('ECONNREFUSED'),
    new AggregateError([coded('ECONNREFUSED'), coded('ECONNREFUSED')]),
    coded('UND_ERR_SOCKET'),
    coded('ECONNRESET'),
    new ApiError('no', { status: 503, problem: { code: 'store_unavailable' } }),
    coded('ENOENT', { path: '/gone' }),
    new Error('anything'),
  ].map((error) => outcomeOf(error)?.kind);
  expect(kinds).toEqual(['unreachable', 'unreachable', 'lost', 'lost', 'refused', undefined, undefined]);
});

describe('the end of following', () => {
  const row = (status: string, revision: number, upload = 'queued') =>
    ({
      status,
      revision,
      run_id: 'r',
      uploads: [{ job_id: 'j', upload_status: upload, source: '', left_out: null }],
    }) as unknown as DatasetDetail;

  test('without a job, any settled state is the end', () => {
    expect(overWith(undefined)(row('failed', 1))).toBe(true);
    expect(overWith(undefined)(row('converting', 1))).toBe(false);
  });

  test('with a job, the failure that was there before does not count', () => {
    const isOver = overWith('j');
    const seen = [row('failed', 4), row('failed', 4), row('uploading', 5), row('failed', 6, 'failed')];
    expect(seen.map(isOver)).toEqual([false, false, false, true]);
    expect(overWith('j')(row('done', 4, 'completed'))).toBe(true);
  });
});

describe('exit codes', () => {
  test.each([
    [404, 2],
    [409, 1],
    [422, 2],
    [429, 3],
    [503, 3],
  ])('status %i is %i', (status, code) => expect(exitCodeOfStatus(status)).toBe(code));

  test.each<[string, unknown, number]>([
    ['a mistake in the settings', new ConfigError(['PORT: no']), 2],
    ['a fault of the system', new Fault('port_taken'), 3],
    ['a fault of the content', new Fault('not_tiff'), 1],
    ['no connection', Object.assign(new Error('x'), { code: 'ECONNREFUSED' }), 3],
    ['anything else', new Error('x'), 3],
  ])('%s', (_, error, code) => expect(explain(error).exitCode).toBe(code));

  test('a settled dataset: published 0, content 1, system 3, cancelled 1', () => {
    const note = (blame: string) => ({ code: 'internal', say: 's', remedy: 'r', blame });
    const end = (status: string, failure: unknown) =>
      endOf({ uuid: 'u', status, product: null, failure, uploads: [] } as unknown as DatasetDetail, 'j')
        .exitCode;
    expect([
      end('done', null),
      end('failed', note('content')),
      end('failed', note('caller')),
      end('conversion error', note('system')),
      end('cancelled', null),
    ]).toEqual([0, 1, 1, 3, 1]);
    const partial = {
      uuid: 'u',
      status: 'done',
      product: null,
      failure: null,
      uploads: [],
      targets: 'partial',
    };
    expect(endOf(partial as unknown as DatasetDetail, 'j').exitCode).toBe(3);
  });
});

test('the result has the promised fields in their order', () => {
  const product = { kind: 'idx', entry: 'visus.idx', bytes: 9, files: 2, checked: 1, blocks: 4 };
  const places = { directory: '/out/u', manifest: '/out/u/manifest.json' };
  const pictures = { preview: '/out/u/sluice/preview.png', strip: null, histogram: null };
  const row = {
    uuid: 'u',
    status: 'done',
    product: { ...product, ...places, ...pictures },
    failure: null,
    duplicate_of: null,
    uploads: [{ job_id: 'j', left_out: { count: 12, names: ['a.md', 'b.md'] } }],
  };
  expect(JSON.stringify(endOf(row as unknown as DatasetDetail, 'j').result)).toBe(
    '{"dataset":"u","status":"done","product":"/out/u","manifest":"/out/u/manifest.json","job":"j",' +
      '"files":2,"bytes":9,"checked":1,"blocks":4,"preview":"/out/u/sluice/preview.png",' +
      '"strip":null,"histogram":null,"duplicate_of":null,"left_out":{"count":12,"names":["a.md","b.md"]}}',
  );
  const lines: string[] = [];
  const io = { out: (line: string) => lines.push(line), err: () => undefined } as unknown as Io;
  printEnd(io, endOf(row as unknown as DatasetDetail, 'j'), false);
  expect(lines.find((line) => line.startsWith('left out'))).toMatch(/12: a\.md; b\.md; …$/);
});

describe('words', () => {
  test('bytes and spans', () => {
    expect([0, 999, 1000, 999_960, 1.5e9].map(bytesWords)).toEqual([
      '0 B',
      '999 B',
      '1.0 kB',
      '1.0 MB',
      '1.5 GB',
    ]);
    expect([0, 59.4, 60, 7200, 200_000].map(spanWords)).toEqual(['0 s', '59 s', '1 min', '2 h', '2 d']);
    expect(ageWords('2026-01-01T00:00:00.000Z', Date.parse('2026-01-01T00:03:10.000Z'))).toBe('3 min');
  });

  test('a table has columns as wide as they need; nothing in it steers the terminal', () => {
    expect(
      table(
        ['A', 'NAME'],
        [
          ['1', 'x\u001b[2Jy'],
          ['22', 'n'.repeat(60)],
        ],
      ),
    ).toEqual(['A   NAME', '1   x [2Jy', `22  ${'n'.repeat(43)}…`]);
  });

  test('pairs leave out what is not known', () => {
    expect(
      pairs([
        ['a', 1],
        ['long', null],
        ['bb', ''],
      ]),
    ).toEqual(['a  1']);
  });
});

describe('phases', () => {
  const row = (more: object) =>
    phaseOf({
      status: 'converting',
      stage: 'convert',
      paused: null,
      sensor: 'TIFF',
      convert: true,
      progress_percentage: 67.5,
      speed_mbps: null,
      eta_seconds: null,
      current_file: null,
      ...more,
    } as unknown as DatasetDetail);

  test('the share of a stage follows from the whole way', () => {
    // fetch 40 and extract 10 are behind; convert is 35 of 100.
    expect(row({}).fraction).toBeCloseTo(0.5);
    expect(row({ sensor: 'OTHER', stage: 'fetch', progress_percentage: 20 }).fraction).toBeCloseTo(0.45);
    expect(row({ stage: 'fetch', progress_percentage: 99 }).fraction).toBe(1);
    expect(row({ stage: null, status: 'done', progress_percentage: 100 })).toMatchObject({
      fraction: 1,
      words: 'done',
    });
  });

  test('a pause is a phase of its own, and says by whom', () => {
    const paused = row({ paused: { by: 'ada@example.org', at: '' } });
    expect(paused.words).toContain('paused by ada@example.org');
    expect(paused.key).not.toBe(row({}).key);
  });

  test('sending tells rate and time left', () => {
    expect(sendingPhase(5e6, 20e6, 2)).toMatchObject({ fraction: 0.25, mbps: 2.5, etaSeconds: 6 });
  });
});

test('without a terminal there is at most a line in two seconds, and the last one is not lost', () => {
  const lines: string[] = [];
  const view = new LineView({ err: (line) => lines.push(line) });
  const phase = (fraction: number): Phase => ({ ...sendingPhase(0, 1, 0), words: 'w', fraction });
  for (const fraction of [0, 0.1, 0.2, 0.3]) view.update(phase(fraction));
  expect(lines).toEqual(['w 0%']);
  view.end();
  view.end();
  expect(lines).toEqual(['w 0%', 'w 30%']);
});

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
