// The tables, row by row: every status with what may follow it, and nothing else.
import { expect, test } from '@jest/globals';
import {
  DATASET_FIRST_STATUSES,
  DATASET_STATUSES,
  DATASET_TRANSITIONS,
  type DatasetStatus,
  ERROR_STATUS_OF_STAGE,
  isSettled,
  readStatus,
  routeTo,
} from '../../src/domain/dataset.js';
import { FAILURES, failureRow, isFailureCode, noteFailure } from '../../src/domain/failure.js';
import {
  datasetWorkflowId,
  isJobId,
  isUuid,
  parseWorkflowId,
  uploadJobId,
  uploadWorkflowId,
} from '../../src/domain/ids.js';
import { JOB_STATUS_OF_UPLOAD, JOB_STATUSES, JOB_TRANSITIONS } from '../../src/domain/job.js';
import { planStages, statusesAtStage } from '../../src/domain/plan.js';
import { fraction, rate } from '../../src/domain/progress.js';
import { SENSOR_ALIASES, SENSORS } from '../../src/domain/sensor.js';
import { overallPercent, STAGE_WEIGHTS, STAGES } from '../../src/domain/stage.js';
import { TransitionRefused, transition } from '../../src/domain/transition.js';
import { isFinal, UPLOAD_STATUSES, UPLOAD_TRANSITIONS } from '../../src/domain/upload.js';

const DATASET_ROWS: Record<DatasetStatus, string> = {
  submitted: 'sync queued, upload queued, uploading, unzipping, conversion queued, cancelled',
  'sync queued': 'syncing, sync error, cancelled',
  syncing: 'conversion queued, sync error, cancelled',
  'upload queued': 'uploading, upload error, cancelled',
  uploading: 'unzipping, conversion queued, done, upload error, cancelled',
  unzipping: 'conversion queued, done, unzip error, cancelled',
  zipping: 'done, compression error, cancelled',
  'conversion queued': 'converting, done, conversion error, cancelled',
  converting: 'done, conversion error, cancelled',
  done: 'uploading, conversion queued',
  'sync error': 'sync queued, failed, cancelled',
  'upload error': 'upload queued, failed, cancelled',
  'unzip error': 'unzipping, upload queued, failed, cancelled',
  'conversion error': 'conversion queued, upload queued, failed, cancelled',
  'compression error': 'zipping, failed, cancelled',
  failed: 'sync queued, upload queued, unzipping, conversion queued',
  retrying: 'sync queued, conversion queued, upload queued, cancelled',
  cancelled: '',
};

const UPLOAD_ROWS: Record<string, string> = {
  queued: 'initializing, uploading, processing, verifying, paused, failed, cancelled',
  initializing: 'uploading, paused, failed, cancelled',
  uploading: 'verifying, processing, completed, paused, failed, cancelled',
  verifying: 'uploading, processing, completed, paused, failed, cancelled',
  processing: 'verifying, completed, paused, failed, cancelled',
  paused: 'queued, uploading, verifying, processing, failed, cancelled',
  completed: 'queued, processing',
  failed: 'queued, processing',
  cancelled: '',
};

const JOB_ROWS: Record<string, string> = {
  pending: 'running, failed, cancelled',
  running: 'completed, failed, retrying, cancelled',
  retrying: 'pending, running, failed, cancelled',
  completed: 'retrying, running',
  failed: 'retrying, pending, running',
  cancelled: '',
};

const words = (row: string): string[] => (row === '' ? [] : row.split(', ')).sort();

test.each(DATASET_STATUSES)('dataset "%s" may go where its row says, and nowhere else', (from) => {
  expect([...DATASET_TRANSITIONS[from]].sort()).toEqual(words(DATASET_ROWS[from]));
  for (const to of DATASET_STATUSES) {
    if (DATASET_TRANSITIONS[from].includes(to)) expect(transition(DATASET_TRANSITIONS, from, to)).toBe(to);
    else expect(() => transition(DATASET_TRANSITIONS, from, to)).toThrow(TransitionRefused);
  }
});

test.each(UPLOAD_STATUSES)('upload "%s" may go where its row says', (from) => {
  expect([...UPLOAD_TRANSITIONS[from]].sort()).toEqual(words(UPLOAD_ROWS[from] ?? '?'));
  expect(isFinal(from)).toBe(['completed', 'failed', 'cancelled'].includes(from));
});

test.each(JOB_STATUSES)('job "%s" may go where its row says', (from) => {
  expect([...JOB_TRANSITIONS[from]].sort()).toEqual(words(JOB_ROWS[from] ?? '?'));
});

test('a refusal says what is open instead', () => {
  expect(() => transition(DATASET_TRANSITIONS, 'done', 'converting')).toThrow(
    'cannot go from "done" to "converting"; now open: uploading, conversion queued',
  );
  expect(() => transition(DATASET_TRANSITIONS, 'cancelled', 'done')).toThrow('this state is final');
});

test.each(DATASET_STATUSES.filter((status) => !isSettled(status)))(
  '"%s" is open, so it can be cancelled',
  (status) => {
    expect(DATASET_TRANSITIONS[status]).toContain('cancelled');
  },
);

test.each([
  ['uploading', 'uploading', []],
  ['done', 'uploading', ['uploading']],
  ['failed', 'uploading', ['upload queued', 'uploading']],
  ['upload error', 'uploading', ['upload queued', 'uploading']],
  ['conversion error', 'converting', ['conversion queued', 'converting']],
  ['done', 'converting', ['conversion queued', 'converting']],
  ['failed', 'unzipping', ['unzipping']],
  ['cancelled', 'uploading', undefined],
  ['converting', 'uploading', undefined],
] as const)('the way from "%s" to "%s" is %j', (from, to, way) => {
  expect(routeTo(from, to)).toEqual(way);
});

test('every stage ends in an error state that leads on to failed and to a retry', () => {
  for (const stage of STAGES) {
    const error = ERROR_STATUS_OF_STAGE[stage];
    expect(DATASET_TRANSITIONS[error]).toContain('failed');
    expect(
      routeTo(error, stage === 'fetch' ? 'uploading' : stage === 'extract' ? 'unzipping' : 'converting'),
    ).toBeDefined();
  }
  expect(DATASET_FIRST_STATUSES).toEqual(['submitted', 'uploading']);
});

test.each([
  ['conversion failed', 'conversion error'],
  ['completed', 'done'],
  ['converting', 'converting'],
  ['something else', 'submitted'],
])('a status that another program wrote, "%s", reads as "%s"', (text, status) => {
  expect(readStatus(text)).toBe(status);
});

test('every upload status reads as a job status', () => {
  expect(Object.keys(JOB_STATUS_OF_UPLOAD).sort()).toEqual([...UPLOAD_STATUSES].sort());
  expect(JOB_STATUS_OF_UPLOAD.completed).toBe('completed');
  expect(JOB_STATUS_OF_UPLOAD.paused).toBe('running');
});

test('weights add up to 100, and progress only grows from stage to stage', () => {
  expect(STAGES.reduce((sum, stage) => sum + STAGE_WEIGHTS[stage], 0)).toBe(100);
  const planned = planStages({ sensor: 'TIFF', convert: true, archives: 1 });
  const points = planned.flatMap((stage) =>
    [0, 0.5, 1].map((share) => overallPercent(planned, stage, share)),
  );
  expect(points).toEqual([...points].sort((a, b) => a - b));
  expect(points.at(0)).toBe(0);
  expect(points.at(-1)).toBe(100);
  expect(overallPercent(planned, 'convert', 7)).toBeLessThan(100);
  expect(overallPercent([], 'fetch', 1)).toBe(0);
});

test.each([
  [{ sensor: 'TIFF', convert: true, archives: 0 }, 'fetch, convert, validate, publish'],
  [{ sensor: 'TIFF', convert: true, archives: 2 }, 'fetch, extract, convert, validate, publish'],
  [{ sensor: 'OTHER', convert: true, archives: 2 }, 'fetch, convert, validate, publish'],
  [{ sensor: 'TIFF', convert: false, archives: 1 }, 'fetch, extract, convert, validate, publish'],
] as const)('%j goes through %s', (facts, stages) => {
  expect(planStages(facts).join(', ')).toBe(stages);
});

test('without conversion the status goes from uploading to done', () => {
  expect(STAGES.flatMap((stage) => statusesAtStage(stage, false))).toEqual(['uploading', 'unzipping']);
  expect(STAGES.flatMap((stage) => statusesAtStage(stage, true))).toEqual([
    'uploading',
    'unzipping',
    'conversion queued',
    'converting',
  ]);
});

test('every failure says what is wrong and what to do, and content is never tried again', () => {
  for (const code of Object.keys(FAILURES)) {
    if (!isFailureCode(code)) throw new Error(code);
    const row = failureRow(code);
    expect(code).toMatch(/^[a-z][a-z0-9]*(_[a-z0-9]+)*$/);
    expect(row.say).toMatch(/^[A-Z].*\.$/);
    expect(row.remedy).toMatch(/^[A-Z].*\.$/);
    expect(row.http).toBeGreaterThanOrEqual(400);
    if (row.blame !== 'system') expect(row.retryable).toBe(false);
  }
  expect(isFailureCode('toString')).toBe(false);
  expect(noteFailure('no_tiff', 'There is none in a.zip.')).toMatchObject({
    code: 'no_tiff',
    say: 'There is none in a.zip.',
    blame: 'content',
  });
});

test('ids are reversible and safe as names of files', () => {
  const uuid = '550e8400-e29b-41d4-a716-446655440000';
  expect(parseWorkflowId(datasetWorkflowId(uuid))).toEqual({ kind: 'dataset', id: uuid });
  expect(parseWorkflowId(uploadWorkflowId('upload_1_ab'))).toEqual({ kind: 'upload', id: 'upload_1_ab' });
  expect(parseWorkflowId('other')).toBeUndefined();
  expect(uploadJobId(1_700_000_000_999, '0a1b2c3d')).toBe('upload_1700000000_0a1b2c3d');
  expect([isUuid(uuid), isUuid('../../etc')]).toEqual([true, false]);
  expect([isJobId('upload_1_ab'), isJobId('../x'), isJobId('a/b'), isJobId('')]).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test('speed and time left come from two samples, and are silent where they cannot be known', () => {
  const first = { at: 0, done: 0 };
  expect(rate(first, { at: 2_000, done: 4_000_000, total: 8_000_000 })).toEqual({
    mbPerSecond: 2,
    etaSeconds: 2,
  });
  expect(rate(first, { at: 2_000, done: 4_000_000, total: 0 })).toEqual({ mbPerSecond: 2 });
  expect(rate(first, { at: 0, done: 5, total: 9 })).toEqual({});
  expect(fraction({ stage: 'fetch', done: 5, total: 0, unit: 'bytes' })).toBe(0);
  expect(fraction({ stage: 'fetch', done: 5, total: 10, unit: 'bytes' })).toBe(0.5);
});

test('other spellings of sensors lead to sensors', () => {
  for (const sensor of Object.values(SENSOR_ALIASES)) expect(SENSORS).toContain(sensor);
});
