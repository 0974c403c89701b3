// Bytes by reference: what stages hand each other instead of paths or content.

/** Roots that a claim's key is relative to: received files, products, and the scratch beside each. */
export const STORES = ['in', 'out'] as const;
export type StoreName = (typeof STORES)[number];

/** Bytes at rest. `key` is a relative POSIX path below the store's root; `digest` is SHA-256 in hex; `size` in bytes. */
export interface Claim {
  readonly store: StoreName;
  readonly key: string;
  readonly size: number;
  readonly digest: string;
}

/** One file of a dataset: its path inside the dataset, bytes, SHA-256 in hex. */
export interface FileEntry {
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
  /** Set when the content (not the name) says that it is an archive we can unpack. */
  readonly archive?: ArchiveKind;
}

/** By content. `tar.gz` stands only in lists of earlier versions; whether a stream holds a tar shows when it is unpacked. */
export type ArchiveKind = 'zip' | 'tar' | 'tar.gz' | 'gz' | 'bz2' | 'xz' | 'zst' | '7z' | 'rar';

/** A list of files, stored as JSON in the store; claims point at it, so it never passes through history. */
export interface FileManifest {
  readonly version: 1;
  /** The folder they were sent with, where one was named. */
  readonly folder?: string;
  readonly files: readonly FileEntry[];
}
