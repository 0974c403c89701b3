// Downloads from a tool's vendor: short patience for a connection, checksum before anything is used.
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

const CONNECT_MS = 5_000;
const STALL_MS = 30_000;

/** The vendors cannot be reached from here; the rest of this process does not try again. */
let unreachable = false;

export class Unreachable extends Error {}

/** Text of an address, for checksum lists. */
export async function fetchText(url) {
  const { response } = await connect(url);
  return response.text();
}

/**
 * Writes the body of an address to a file.
 * @param {string} sha256 what the bytes must hash to
 * @throws Unreachable when there is no way to the vendor; Error when the bytes are not those
 */
export async function fetchFile(url, file, sha256, progress) {
  const { response, alive } = await connect(url);
  const total = Number(response.headers.get('content-length') ?? 0);
  const hash = createHash('sha256');
  let done = 0;
  let saidAt = performance.now();
  const watch = async function* (source) {
    for await (const chunk of source) {
      alive();
      hash.update(chunk);
      done += chunk.length;
      if (performance.now() - saidAt > 5_000) {
        progress(`downloaded ${megabytes(done)} of ${total > 0 ? megabytes(total) : 'unknown'} MB`);
        saidAt = performance.now();
      }
      yield chunk;
    }
  };
  await pipeline(Readable.fromWeb(response.body), watch, createWriteStream(file));
  if (hash.digest('hex') !== sha256) throw new Error(`the checksum of ${url} is wrong`);
}

/**
 * A release of a vendor that lists checksums of its archives: downloaded, checked, unpacked, the archive removed.
 * @param {string} work directory for the archive
 * @param {{base: string, sums: string, archive: string, unpack: (archive: string) => Promise<unknown>}} release its
 *   address, and the names of the list and of the archive below it
 * @returns {Promise<boolean>} whether the vendor could be reached and has one for this system
 */
export async function downloadRelease(work, progress, { base, sums, archive, unpack }) {
  try {
    progress("asking the vendor's release page");
    const line = (await fetchText(`${base}/${sums}`)).split('\n').find((one) => one.trim().endsWith(archive));
    if (line === undefined)
      throw new Unreachable(`there is no release for ${process.platform} ${process.arch}`);
    await fetchFile(`${base}/${archive}`, join(work, archive), line.slice(0, 64), progress);
    await unpack(join(work, archive));
    await rm(join(work, archive));
    return true;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    progress(`${error.message}; building it instead`);
    return false;
  }
}

/** Makes something in a directory beside its target and moves it there when it is whole. */
export async function provideDirectory(target, make) {
  await mkdir(dirname(target), { recursive: true });
  const work = await mkdtemp(join(dirname(target), '.new-'));
  try {
    await make(work);
    await rename(work, target);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function connect(url) {
  if (unreachable) throw new Unreachable('the vendors cannot be reached');
  const controller = new AbortController();
  let timer = setTimeout(() => controller.abort(), CONNECT_MS);
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(), STALL_MS).unref();
  };
  try {
    const response = await fetch(url, { signal: controller.signal, redirect: 'follow' });
    if (!response.ok) throw new Error(`${new URL(url).host} answered ${response.status}`);
    alive();
    return { response, alive };
  } catch (error) {
    unreachable = true;
    throw new Unreachable(`${new URL(url).host} cannot be reached`, { cause: error });
  } finally {
    if (unreachable) clearTimeout(timer);
  }
}

const megabytes = (bytes) => Math.round(bytes / 1e6);
