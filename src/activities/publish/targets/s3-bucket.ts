// The bucket of a target: every request with its time limits, its few tries, and its refusals in our words.
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { quoteName } from '../../../bytes/safe-names.js';
import type { S3Target } from '../../../contracts/targets.js';
import { Fault } from '../../../domain/fault.js';
import { problemOfError } from '../../fetch/s3/problem.js';
import { bareEtag } from './s3-digest.js';

/** Tries of one request; the activity itself is tried again as well. */
const TRIES = 4;
const BACK_OFF_MS = 300;
const CONNECT_MS = 10_000;
const SILENCE_MS = 60_000;
/** Clearing up after a cancellation must not hold the worker. */
const CLEAR_UP_MS = 10_000;
const ABORT_TRIES = 4;
const ABORT_PAUSE_MS = 100;
const FULL = ['QuotaExceeded', 'XMinioStorageFull'];
const WRONG_KEYS = [
  'InvalidAccessKeyId',
  'SignatureDoesNotMatch',
  'InvalidToken',
  'InvalidSecurity',
  'ExpiredToken',
  'ExpiredTokenException',
];
const AGAIN = [
  'SlowDown',
  'InternalError',
  'ServiceUnavailable',
  'RequestTimeout',
  'OperationAborted',
  'BadDigest',
];

/** What went wrong is told by the failure; the SDK would write to the console. */
const nothing = (): void => undefined;
const SILENT = { debug: nothing, info: nothing, warn: nothing, error: nothing };

export interface Placed {
  readonly size: number;
  /** Without quotes. */
  readonly etag: string;
}

export class TargetBucket {
  readonly bucket: string;
  /** Waits until so many more bytes may be moved. */
  readonly pace: (bytes: number) => Promise<void>;
  readonly #name: string;
  readonly #client: S3Client;
  readonly #signal: AbortSignal;

  constructor(
    { name, bucket, endpoint, region, pathStyle, keys }: S3Target,
    signal: AbortSignal,
    pace: (bytes: number) => Promise<void>,
  ) {
    this.bucket = bucket;
    this.pace = pace;
    this.#name = name;
    this.#signal = signal;
    this.#client = new S3Client({
      region,
      ...(endpoint === undefined ? {} : { endpoint }),
      forcePathStyle: pathStyle,
      // The SDK writes into what it is given, and settings are frozen.
      credentials: { ...keys },
      // A body from disk is made anew for each try, which the SDK cannot do.
      maxAttempts: 1,
      logger: SILENT,
      requestHandler: { connectionTimeout: CONNECT_MS, socketTimeout: SILENCE_MS },
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  /** One request, a few times where that can help. @throws Fault `target_unreachable`, `target_refused` */
  async ask<T>(what: string, call: (client: S3Client, abortSignal: AbortSignal) => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried++) {
      try {
        return await call(this.#client, this.#signal);
      } catch (error) {
        this.#signal.throwIfAborted();
        // A mistake of ours is no sign of the store.
        if (error instanceof TypeError) throw error;
        const fault = this.#faultOf(error, what);
        if (fault.code !== 'target_unreachable' || tried >= TRIES) throw fault;
        await sleep(BACK_OFF_MS * 2 ** tried, undefined, { signal: this.#signal });
      }
    }
  }

  /** All objects below a prefix, by key. */
  async list(prefix: string): Promise<Map<string, Placed>> {
    const found = new Map<string, Placed>();
    for (let token: string | undefined; ; ) {
      const input = { Bucket: this.bucket, Prefix: prefix, ContinuationToken: token };
      const page = await this.ask('the list of objects', (client, abortSignal) =>
        client.send(new ListObjectsV2Command(input), { abortSignal }),
      );
      for (const { Key, Size, ETag } of page.Contents ?? [])
        if (Key !== undefined) found.set(Key, { size: Size ?? 0, etag: bareEtag(ETag) });
      token = page.IsTruncated === true ? page.NextContinuationToken : undefined;
      if (token === undefined) return found;
    }
  }

  /** Ends what an attempt that died left half sent below the prefix. */
  async clearUploads(prefix: string): Promise<void> {
    const input = { Bucket: this.bucket, Prefix: prefix };
    const page = await this.ask('the list of unfinished uploads', (client, abortSignal) =>
      client.send(new ListMultipartUploadsCommand(input), { abortSignal }),
    );
    for (const { Key, UploadId } of page.Uploads ?? []) {
      if (Key?.startsWith(prefix) === true && UploadId !== undefined) await this.abortUpload(Key, UploadId);
    }
  }

  /** Whatever happens to it, the reason for which it is ended is what is told. */
  async abortUpload(Key: string, UploadId: string): Promise<void> {
    const command = new AbortMultipartUploadCommand({ Bucket: this.bucket, Key, UploadId });
    const abortSignal = AbortSignal.timeout(CLEAR_UP_MS);
    // A part that is still on its way may bring the upload back: it is gone when the store says so.
    for (let tried = 0; tried < ABORT_TRIES; tried++) {
      const isGone = await this.#client.send(command, { abortSignal }).then(
        () => false,
        (error: unknown) => error instanceof Error && error.name === 'NoSuchUpload',
      );
      if (isGone) return;
      await sleep(ABORT_PAUSE_MS * 2 ** tried);
    }
  }

  async remove(Key: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.bucket, Key });
    await this.ask(`the removal of ${quoteName(Key)}`, (client, abortSignal) =>
      client.send(command, { abortSignal }),
    );
  }

  /** Reads an object to its end, as often as it takes. */
  async read<T>(Key: string, take: (body: Readable) => Promise<T>): Promise<T> {
    const command = new GetObjectCommand({ Bucket: this.bucket, Key });
    return await this.ask(`the object ${quoteName(Key)}`, async (client, abortSignal) => {
      const { Body } = await client.send(command, { abortSignal });
      return await take(Body as Readable);
    });
  }

  close(): void {
    this.#client.destroy();
  }

  #faultOf(error: unknown, what: string): Fault {
    if (error instanceof Fault) return error;
    const problem = problemOfError(error);
    if (problem === undefined) {
      return new Fault(
        'target_unreachable',
        `The target ${this.#name} cannot be reached (${wordOf(error)}).`,
      );
    }
    const { status, code } = problem;
    const told = code === '' ? `status ${status}` : `${code}, ${status}`;
    const passes = AGAIN.includes(code) || status >= 500 || [408, 425, 429].includes(status);
    if (FULL.includes(code) || status === 507)
      return new Fault('target_full', `The target ${this.#name} has no space for ${what} (${told}).`);
    if (passes)
      return new Fault(
        'target_unreachable',
        `The target ${this.#name} did not answer as it should (${told}).`,
      );
    if (WRONG_KEYS.includes(code))
      return new Fault('target_denied', `The target ${this.#name} refused the credentials (${told}).`);
    return new Fault('target_refused', `The target ${this.#name} refused ${what} (${told}).`);
  }
}

function wordOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no answer';
  return 'code' in error && typeof error.code === 'string' ? error.code : error.name;
}
