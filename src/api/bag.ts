// A product as a BagIt 1.0 bag (RFC 8493) in a tar, made while it is sent: nothing of it is ever on disk or in memory.
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { pack } from 'tar-stream';
import type { FileEntry } from '../contracts/claim.js';
import { SLUICE_VERSION } from '../contracts/version.js';
import { Fault } from '../domain/fault.js';

export interface BagFacts {
  readonly uuid: string;
  readonly name: string;
  /** Directory of the version, and the digest that its `manifest.json` must have. */
  readonly directory: string;
  readonly manifestDigest: string;
}

/** Lists of a product that do not name themselves. */
const LISTS = ['manifest.json', 'manifest-sha256.txt'] as const;

/** @throws Fault `not_found` when it was replaced meanwhile, `product_damaged` when its manifest is not what was published */
export async function streamBag(facts: BagFacts): Promise<Readable> {
  const { directory, uuid, manifestDigest } = facts;
  const lists = await Promise.all(LISTS.map(async (path) => await readList(directory, path)));
  const [manifest] = lists;
  if (manifest?.entry.sha256 !== manifestDigest) {
    throw new Fault('product_damaged', 'The manifest of the product is not what was published.');
  }
  const { files } = JSON.parse(manifest.content.toString()) as { files: FileEntry[] };
  const payload = [...files, ...lists.map(({ entry }) => entry)];
  const tar = pack();
  const add = (name: string, content: Buffer): void => void tar.entry({ name: `${uuid}/${name}` }, content);
  for (const [name, content] of tagFiles(facts, payload)) add(name, content);
  void fill(tar, directory, `${uuid}/data/`, payload).catch((error: unknown) =>
    tar.destroy(error instanceof Error ? error : new Error(String(error))),
  );
  // Not one of Node's own streams; given up when the client leaves.
  return Readable.from(tar, { objectMode: false });
}

async function readList(
  directory: string,
  path: string,
): Promise<{ readonly entry: FileEntry; readonly content: Buffer }> {
  try {
    const content = await readFile(join(directory, path));
    return { entry: { path, size: content.length, sha256: digestOf(content) }, content };
  } catch (error) {
    throw new Fault('not_found', 'The product is not there any more.', { cause: error });
  }
}

/** One file after the other, as fast as the client takes them; one that changed its length ends the answer. */
async function fill(
  tar: ReturnType<typeof pack>,
  directory: string,
  prefix: string,
  payload: readonly FileEntry[],
): Promise<void> {
  for (const { path, size } of payload) {
    const entry = tar.entry({ name: `${prefix}${path}`, size });
    await pipeline(createReadStream(join(directory, path)), entry);
  }
  tar.finalize();
}

function tagFiles({ uuid, name }: BagFacts, payload: readonly FileEntry[]): [string, Buffer][] {
  const bytes = payload.reduce((sum, { size }) => sum + size, 0);
  const info = [
    ['Bagging-Date', new Date().toISOString().slice(0, 10)],
    ['Bag-Software-Agent', `Sluice ${SLUICE_VERSION}`],
    ['External-Identifier', `urn:uuid:${uuid}`],
    ['External-Description', name.replaceAll(/[\r\n]+/g, ' ')],
    ['Payload-Oxum', `${bytes}.${payload.length}`],
  ];
  const tags: [string, Buffer][] = [
    ['bagit.txt', Buffer.from('BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n')],
    ['bag-info.txt', Buffer.from(info.map(([label, value]) => `${label}: ${value}\n`).join(''))],
    [
      'manifest-sha256.txt',
      Buffer.from(payload.map((file) => line(`data/${file.path}`, file.sha256)).join('')),
    ],
  ];
  const own = tags.map(([path, content]) => line(path, digestOf(content))).join('');
  return [...tags, ['tagmanifest-sha256.txt', Buffer.from(own)]];
}

/** In a bag's manifest, line breaks and percent signs of a path are written in percent. */
const line = (path: string, sha256: string): string =>
  `${sha256}  ${path.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A')}\n`;

const digestOf = (content: Buffer): string => createHash('sha256').update(content).digest('hex');
