// googleapis, loaded when the first upload from Google Drive comes: it is large, and most workers never need it.
import type { AuthPlus } from 'googleapis/build/src/apis/drive/index.js';

type Library = typeof import('googleapis/build/src/apis/drive/index.js');
/** A client that has tokens; that of a service account is one too. */
export type TokenClient = InstanceType<AuthPlus['OAuth2']>;

let loading: Promise<Library> | undefined;

/** The part of it that knows Drive, and none of the hundreds of others. */
export async function loadLibrary(): Promise<Library> {
  loading ??= import('googleapis/build/src/apis/drive/index.js');
  return await loading;
}
