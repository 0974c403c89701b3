// The contract of every source. A new source runs it with its own harness, and adds what only it can meet.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { FetchDeps } from '../../../src/activities/fetch/index.js';
import { digestOf } from '../../../src/bytes/receipts.js';
import type { Source } from '../../../src/domain/source.js';
import { Bench, JOB, MIB, someBytes } from './bench.js';
import { interruptions } from './contract-interrupted.js';
import { manyFiles } from './contract-many.js';
import { oddNames } from './contract-names.js';
import { refusals } from './contract-refused.js';
import { noRoom } from './contract-room.js';

type Files = Readonly<Record<string, Buffer>>;
/** Parts of the contract that not every source can meet. */
const PARTS = ['several', 'putOdd', 'putLarge', 'denied', 'change', 'throttle', 'corrupt', 'given'] as const;

export interface SourceHarness {
  readonly settings?: FetchDeps['transfer'];
  /** Puts the files at the source, for this job. One file, unless `several`. */
  put(bench: Bench, files: Files, jobId: string): Promise<Source>;
  /** A source that has nothing. */
  nothing(bench: Bench): Promise<{ source: Source; code: string }>;
  /** Bytes that the source has given since it was put up; undefined when it cannot tell. */
  given?(): number;
  /** False when there is no transfer that could be interrupted. */
  readonly transfers: boolean;
  end?(): Promise<void>;

  /** True when one source may hold several files, with paths (`a/b.bin`). */
  readonly several?: boolean;
  /** Puts files with names that a dataset may have to refuse; undefined when this source cannot hold such a name. */
  putOdd?(bench: Bench, files: Files): Promise<Source | undefined>;
  /** Puts one file `large.bin` of so many bytes of a pattern, without holding them in memory. */
  putLarge?(bench: Bench, bytes: number): Promise<Source>;
  /** A source that is there and may not be read. */
  denied?(bench: Bench): Promise<{ source: Source; code: string }>;
  /** What happens to a file that is replaced while it is read. */
  readonly change?: {
    /** The failure, when it is not fetched anew. */
    readonly code: string;
    /** Replaces what was put. */
    replace(bench: Bench, files: Files): Promise<void> | void;
  };
  /** After this the source refuses the next requests as too many (429, 503, or its own word), and is slow. */
  throttle?(bench: Bench): Promise<void> | void;
  /** A source that announces a digest which its bytes do not have. */
  corrupt?(bench: Bench): Promise<Source>;
  /** Why the source has none of a part. Every part is either there or stands here. */
  readonly cannot?: Readonly<Partial<Record<(typeof PARTS)[number], string>>>;
}

export function sourceContract(name: string, harness: SourceHarness): void {
  describe(`source ${name}`, () => {
    let bench: Bench;
    beforeEach(async () => {
      bench = await Bench.open(harness.settings);
    });
    afterEach(async () => {
      await harness.end?.();
      await bench.close();
    });
    const open = (): Bench => bench;
    saysWhatItCannot(harness);
    basics(harness, open);
    repeated(harness, open);
    refusals(harness, open);
    manyFiles(harness, open);
    oddNames(harness, open);
    // Bytes that lie in the staging area already are not transferred, so nothing of it can be interrupted.
    if (!harness.transfers) return;
    interruptions(harness, open);
    noRoom(harness, open);
  });
}

/** A new part of the contract must not be passed over in silence by the sources that are there. */
function saysWhatItCannot(harness: SourceHarness): void {
  if (harness.cannot === undefined) return;
  test('every part of the contract is met, or why not is said', () => {
    const silent = PARTS.filter(
      (part) => harness[part] === undefined && harness.cannot?.[part] === undefined,
    );
    expect(silent).toEqual([]);
  });
}

function basics(harness: SourceHarness, open: () => Bench): void {
  test('delivers the bytes, with progress that adds up', async () => {
    const files = { 'a.bin': someBytes(3 * MIB) };
    const source = await harness.put(open(), files, JOB);
    await open().prove(await open().run(source), files);
    open().proveProgress(3 * MIB);
  });

  test('a second run gives the first one’s answer and touches nothing', async () => {
    const files = { 'a.bin': someBytes(100) };
    const source = await harness.put(open(), files, JOB);
    const first = await open().run(source);
    const given = harness.given?.();
    expect(await open().run(source)).toEqual(first);
    expect(harness.given?.()).toBe(given);
    await open().prove(first, files);
  });
}

function repeated(harness: SourceHarness, open: () => Bench): void {
  test('a different file of the same name stays beside; an equal one is kept once', async () => {
    const [one, two] = [someBytes(1000), someBytes(1000)];
    const first = await open().run(await harness.put(open(), { 'a.bin': one }, JOB));
    await harness.end?.();
    const again = await open().run(await harness.put(open(), { 'a.bin': one }, 'upload_2_0000000b'), {
      jobId: 'upload_2_0000000b',
    });
    await open().prove(again, { 'a.bin': one });
    await harness.end?.();
    const other = await open().run(await harness.put(open(), { 'a.bin': two }, 'upload_3_0000000c'), {
      jobId: 'upload_3_0000000c',
    });
    if (!other.done) throw new Error('not done');
    await open().prove(first, { 'a.bin': one });
    const path = `a-${tagOf(other.delivery.manifest.key, 'upload_3_0000000c')}.bin`;
    await open().prove(other, { [path]: two });
  });
}

/** The suffix is made from the job; the manifest's name proves which job it was. */
function tagOf(manifestKey: string, jobId: string): string {
  expect(manifestKey).toContain(jobId);
  return digestOf(jobId).slice(0, 8);
}
