// A client of the chunk routes, as the older ones are: cuts a file, sends four chunks at a time, tries each again.
import { createHash } from 'node:crypto';

export interface ChunkAnswer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: bodies are compared field by field
  readonly body: any;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

type Headers = Readonly<Record<string, string>>;

export async function ask(
  method: string,
  url: string,
  body?: unknown,
  more: Headers = {},
): Promise<ChunkAnswer> {
  const json = body === undefined ? {} : { body: JSON.stringify(body) };
  const headers = { 'content-type': 'application/json', ...more };
  return await answerOf(await fetch(url, { method, headers, ...json }));
}

/** @param hash default: the right one */
export async function sendChunk(
  api: string,
  uploadId: string,
  index: number | string,
  bytes: Uint8Array,
  hash: string | null = sha256(bytes),
  headers: Headers = {},
): Promise<ChunkAnswer> {
  const form = new FormData();
  if (hash !== null) form.append('chunk_hash', hash);
  form.append('chunk', new Blob([new Uint8Array(bytes)]), 'chunk');
  const url = `${api}/api/upload/large/chunk/${uploadId}/${index}`;
  return await answerOf(await fetch(url, { method: 'POST', headers, body: form }));
}

async function answerOf(response: Response): Promise<ChunkAnswer> {
  return { status: response.status, body: await response.json() };
}

export const shared = {
  user_email: 'ada@example.org',
  dataset_name: 'in chunks',
  sensor: 'OTHER',
  convert: true,
  is_public: false,
  folder: null,
  team_uuid: null,
};

export function begin(
  api: string,
  bytes: Uint8Array,
  more: object = {},
  headers: Headers = {},
): Promise<ChunkAnswer> {
  const file = { filename: 'a.bin', file_size: bytes.length, file_hash: sha256(bytes) };
  return ask('POST', `${api}/api/upload/large/initiate`, { ...shared, ...file, ...more }, headers);
}

export const chunkOf = (bytes: Uint8Array, index: number, chunkBytes: number): Uint8Array =>
  bytes.subarray(index * chunkBytes, (index + 1) * chunkBytes);
