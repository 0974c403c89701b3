// A client of the chunk routes: four chunks at a time, each with its digest, and the digest of the whole at the end.
import { createHash } from 'node:crypto';
import { MADE_UP, sendForm } from './send.js';

const STREAMS = 4;

/** @returns ms from the first request to the answer that the whole file is there; digests are made before */
export async function sendChunks(
  port: number,
  wish: Readonly<Record<string, string>>,
  bytes: number,
  chunk: number,
): Promise<number> {
  const hashes = {
    whole: madeUpDigest(bytes),
    chunk: madeUpDigest(chunk),
    last: madeUpDigest(bytes % chunk),
  };
  const base = `http://127.0.0.1:${port}/api/upload/large`;
  const start = performance.now();
  const asked = { ...wish, filename: 'data.bin', file_size: bytes, file_hash: hashes.whole };
  const begun = (await ask(`${base}/initiate`, asked)) as { upload_id: string; total_chunks: number };
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let index = next++; index < begun.total_chunks; index = next++) {
      const length = Math.min(chunk, bytes - index * chunk);
      const fields = { chunk_hash: length === chunk ? hashes.chunk : hashes.last };
      const form = { fields, part: 'chunk', fileName: 'chunk', content: length };
      const path = `/api/upload/large/chunk/${begun.upload_id}/${index}`;
      const { status, body } = await sendForm(port, path, form);
      if (status !== 200) throw new Error(`chunk ${index} answered ${status}: ${body}`);
    }
  };
  await Promise.all(Array.from({ length: STREAMS }, lane));
  await ask(`${base}/complete/${begun.upload_id}`, {});
  return performance.now() - start;
}

async function ask(url: string, body: object): Promise<unknown> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${url} answered ${answer.status}: ${text}`);
  return JSON.parse(text);
}

const digests = new Map<number, string>();

/** SHA-256 of so many bytes as the bench makes them up. */
function madeUpDigest(bytes: number): string {
  const known = digests.get(bytes);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  for (let left = bytes; left > 0; left -= MADE_UP.length) {
    hash.update(left < MADE_UP.length ? MADE_UP.subarray(0, left) : MADE_UP);
  }
  const hex = hash.digest('hex');
  digests.set(bytes, hex);
  return hex;
}
