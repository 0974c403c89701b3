// A published product on disk, as stage publish leaves it, with bytes of known content.
import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { checksumLine } from '../../src/activities/publish/manifest.js';
import type { Claim } from '../../src/contracts/claim.js';

const sha256 = (bytes: Buffer | string): string => createHash('sha256').update(bytes).digest('hex');

/** Bytes that repeat nowhere soon, told apart by their seed. */
export function seeded(bytes: number, seed: number): Buffer {
  const content = Buffer.alloc(bytes);
  for (let at = 0; at + 4 <= bytes; at += 4) content.writeUInt32LE((at * 2654435761 + seed) >>> 0, at);
  return content;
}

/** @returns the claim of its manifest */
export async function writeProduct(
  out: string,
  uuid: string,
  version: string,
  contents: Readonly<Record<string, Buffer>>,
): Promise<Claim> {
  const key = `.versions/${uuid}/${version}`;
  const write = async (path: string, content: Buffer | string): Promise<void> => {
    await mkdir(dirname(join(out, key, path)), { recursive: true });
    await writeFile(join(out, key, path), content);
  };
  for (const [path, content] of Object.entries(contents)) await write(path, content);
  const files = Object.entries(contents).map(([path, content]) => ({
    path,
    size: content.length,
    sha256: sha256(content),
  }));
  const manifest = JSON.stringify({ version: 1, files });
  await write('manifest-sha256.txt', files.map(({ path, sha256: hex }) => checksumLine(path, hex)).join(''));
  await write('manifest.json', manifest);
  return { store: 'out', key: `${key}/manifest.json`, size: manifest.length, digest: sha256(manifest) };
}
