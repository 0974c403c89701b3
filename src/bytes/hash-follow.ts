// Hashing a file while it grows: its bytes are read back from the page cache behind the writer.
import { randomUUID } from 'node:crypto';
import { type ExtraDigest, type FileHash, hashFile, type PartsDigest } from './hash.js';
import { followParts } from './hash-parts.js';
import { dropQueued, enqueue, type Home, type Job, leaveHome } from './hash-pool.js';
import type { HashTask } from './hash-thread.js';

const MIB = 1024 * 1024;
/** A slice is worth the way to the thread, and short enough for others to have their turn. */
const SLICE = { least: 8 * MIB, most: 64 * MIB };

export interface Follower {
  /** The bytes up to here, from the first one on, lie in the file and stay as they are. */
  advance(upTo: number): void;
  /**
   * The digests of the whole.
   * @param size bytes
   * @throws the system's error when it cannot be read
   */
  finish(size: number): Promise<FileHash>;
  /** Nobody wants it any more. Safe at any time, also after the end. */
  drop(): void;
}

/**
 * Further digests are made beside SHA-256, since MD5 takes more than twice its time.
 * @param also digests wanted beside SHA-256 @param onProgress called after each slice with the bytes read so far
 */
export function followHash(
  path: string,
  also: readonly ExtraDigest[],
  onProgress: (bytes: number) => void = () => undefined,
): Follower {
  const main = followDigests(path, ['sha256'], onProgress);
  const names = also.filter((name) => name.startsWith('md5-parts-')) as PartsDigest[];
  const parts = names.map((name) => followParts(path, name));
  const whole = also.filter((name) => !name.startsWith('md5-parts-'));
  const others = whole.length === 0 ? [] : [followDigests(path, whole, () => undefined)];
  const all = [main, ...parts, ...others];
  return {
    advance: (upTo) => all.forEach((one) => void one.advance(upTo)),
    async finish(size) {
      const [one, ofParts, ofOthers] = await Promise.all([
        main.finish(size),
        Promise.all(parts.map((part) => part.finish(size))),
        Promise.all(others.map((other) => other.finish(size))),
      ]);
      if (ofParts.includes(undefined)) return await hashFile(path, { also, onProgress });
      const found = names.map((name, i) => [name, ofParts[i]] as const);
      return {
        ...one,
        also: Object.assign({}, ...ofOthers.map((other) => other.also), Object.fromEntries(found)),
      };
    },
    drop: () => all.forEach((one) => void one.drop()),
  };
}

function followDigests(
  path: string,
  algorithms: readonly ('sha256' | ExtraDigest)[],
  onProgress: (bytes: number) => void,
): Follower {
  const following = new Following(path, algorithms);
  let [wanted, read, working, over] = [0, 0, false, false];
  const next = async (least: number): Promise<void> => {
    const upTo = Math.min(wanted, read + SLICE.most);
    if (working || over || upTo - read < least) return;
    working = true;
    try {
      read = await following.slice(upTo);
      onProgress(read);
    } finally {
      working = false;
    }
  };
  let chain: Promise<void> = Promise.resolve();
  // A failure is not lost: the end reads the whole file then.
  let failed = false;
  const step = (least: number): void => {
    chain = chain
      .then(() => next(least))
      .catch(() => {
        failed = true;
      });
  };
  return {
    advance(upTo) {
      wanted = Math.max(wanted, upTo);
      if (!working && wanted - read >= SLICE.least) step(SLICE.least);
    },
    async finish(size) {
      wanted = size;
      while (!failed && !over && read < size) {
        step(1);
        await chain;
      }
      if (over) throw new Error('nobody follows this file any more');
      over = true;
      const digests = failed ? undefined : await following.digest(size);
      if (digests !== undefined) return digests;
      following.end();
      const also = algorithms.filter((one) => one !== 'sha256');
      return await hashFile(path, { also, onProgress });
    },
    drop() {
      if (over) return;
      over = true;
      following.end();
    },
  };
}

/** The tasks of one file, all done by the thread that holds its state. */
class Following {
  private readonly id = randomUUID();
  private readonly home: Home = { thread: undefined, lost: false };
  private readonly stop = new Int32Array(new SharedArrayBuffer(4));
  private readonly path: string;
  private readonly algorithms: readonly string[];
  private current: Job | undefined;

  constructor(path: string, algorithms: readonly string[]) {
    this.path = path;
    this.algorithms = algorithms;
  }

  async slice(upTo: number): Promise<number> {
    const { id, path, algorithms, stop } = this;
    return (await this.run({ kind: 'slice', id, path, algorithms, upTo, stop })).size;
  }

  /** Undefined when the state is lost, or of another length. */
  async digest(size: number): Promise<FileHash | undefined> {
    const found = await this.run({ kind: 'digest', id: this.id }).catch(() => undefined);
    leaveHome(this.home);
    if (found === undefined || found.size !== size) return undefined;
    const { sha256 = '', ...also } = found.digests;
    return { sha256, size, also };
  }

  end(): void {
    Atomics.store(this.stop, 0, 1);
    if (this.current === undefined) return;
    dropQueued(this.current);
    void this.run({ kind: 'drop', id: this.id })
      .catch(() => undefined)
      .finally(() => leaveHome(this.home));
  }

  private async run(task: HashTask): Promise<{ digests: Record<string, string>; size: number }> {
    if (this.home.lost) throw new Error('the hashing thread ended');
    return await new Promise((resolve, reject) => {
      this.current = {
        task,
        home: this.home,
        progress: () => undefined,
        done: resolve,
        failed: reject,
      };
      enqueue(this.current);
    });
  }
}
