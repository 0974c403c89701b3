// Where bytes come from. A new source is a variant here, its offer (src/sources) and its fetcher (activities/fetch/sources).
import type { FailureCode } from './failure.js';

/** Bytes that a client sent to the API; they lie in the staging area under the job's id. */
export interface ReceivedSource {
  readonly kind: 'received';
  readonly files: number;
  readonly bytes: number;
  /** Why receiving ended early; the upload then fails with this code and its leftovers are removed. */
  readonly fault?: { readonly code: FailureCode; readonly say: string };
}

/** A file or directory on the server, below a configured root. */
export interface LocalSource {
  readonly kind: 'local';
  readonly path: string;
  /** Name that a single file gets in the dataset; default: the last part of its path. */
  readonly name?: string;
}

/** A file on the web. `url` holds neither user, password nor query: those lie sealed under the job's id. */
export interface UrlSource {
  readonly kind: 'url';
  readonly url: string;
  readonly sealed: boolean;
}

export type Source = ReceivedSource | LocalSource | UrlSource;
export type SourceKind = Source['kind'];

/** What a person reads as the origin of an upload. */
export function sourceWords(source: Source): string {
  switch (source.kind) {
    case 'received':
      return `${source.files} file${source.files === 1 ? '' : 's'} sent by the client`;
    case 'local':
      return `path ${source.path}`;
    case 'url':
      return `URL ${source.url}`;
  }
}
