// What doors and the receiving core say to each other. How a door uses it stands at the top of session.ts.
import type { Readable } from 'node:stream';
import type { StretchDigest } from '../../bytes/hash.js';
import type { JobDocument } from '../../contracts/documents.js';

/** What a door must know of an upload at its next request; kept in the row of the job, so it holds no secret. */
export interface AwaitedSession {
  readonly door: 'tus' | 'chunks';
  /** The file's path inside the dataset. */
  readonly path: string;
  /** Announced length, bytes; null = told later. */
  readonly bytes: number | null;
  /** Hex; announced by the client, compared when the bytes are whole. */
  readonly sha256?: string | undefined;
  readonly expiresAfterMs: number;
  /** What only the door knows, e.g. the metadata as they were sent. */
  readonly extra?: Readonly<Record<string, unknown>>;
}

export interface FoundSession {
  readonly job: JobDocument;
  readonly session: AwaitedSession;
  /** open: takes bytes; whole: all bytes came; gone: it ended without them. */
  readonly state: 'open' | 'whole' | 'gone';
}

/** A checksum that was announced for the bytes of one request. */
export interface PartDigest {
  readonly algorithm: StretchDigest;
  readonly hex: string;
}

/** The one writer of an upload whose bytes come in order, in the hands of one request. */
export interface HeldWriter {
  found: FoundSession;
  /** Bytes that are there; the next one goes here. */
  readonly offset: number;
  /**
   * Writes a body at the end; what came of it before a failure stays.
   * @param most bytes that may come
   * @throws Fault part_mismatch (then nothing of it stays), upload_interrupted, disk_full, payload_too_large, upload_locked
   */
  append(body: Readable, most: number, digest?: PartDigest): Promise<void>;
  /** The digest of the whole file (hex), when all of it came through this process. Once. */
  digest(): Promise<string | undefined>;
  /** Surely still ours: asked of the database, right before what cannot be taken back. @throws Fault upload_locked */
  confirm(): Promise<void>;
  /** The request has ended. */
  rest(): Promise<void>;
}

/** The writers that a process has open. One request at a time has one; the others are told to come again. */
export interface WriterPool {
  /**
   * The writer of an upload, for one request; `rest` must follow.
   * @param known spares the look-up
   * @throws Fault upload_locked, upload_gone, not_found; the answer for an upload that is whole is the door's
   */
  hold(jobId: string, known?: FoundSession): Promise<HeldWriter>;
  /** The writer that this process has open and holds the lease of. */
  peek(jobId: string): Pick<HeldWriter, 'offset'> | undefined;
  /** Closes a writer: its upload is whole, or gone. */
  forget(jobId: string): Promise<void>;
  /** The process ends: others may go on at once. */
  close(): Promise<void>;
}
