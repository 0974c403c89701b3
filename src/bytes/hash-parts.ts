// The MD5 of the MD5s of a file's parts, made while the file grows. Each part is hashed by itself, so that the threads
// share them: one MD5 over the whole would be the slowest of all.
import { createHash } from 'node:crypto';
import { DigestFollower } from './hash-follow.js';

/** One at work and one that waits, so that other digests have their turn. */
const AT_ONCE = 2;

export class PartsFollower {
  readonly #path: string;
  readonly #partBytes: number;
  readonly #digests: string[] = [];
  readonly #parts = new Set<DigestFollower>();
  #reached = 0;
  #next = 0;
  /** Of the whole file, once it is known. */
  #size = Number.POSITIVE_INFINITY;
  #failure: Error | undefined;
  #settle: () => void = () => undefined;

  /** @param partBytes of every part but the last */
  constructor(path: string, partBytes: number) {
    this.#path = path;
    this.#partBytes = partBytes;
  }

  /** See DigestFollower. */
  advance(upTo: number): void {
    this.#reached = Math.max(this.#reached, upTo);
    while (this.#parts.size < AT_ONCE && this.#failure === undefined) {
      const from = this.#next * this.#partBytes;
      const to = Math.min(from + this.#partBytes, this.#size);
      if (from >= to || to > this.#reached) return;
      void this.#hash(this.#next++, from, to);
    }
  }

  /** As a store tells it: the digest, a hyphen, the number of parts. @throws as DigestFollower.finish */
  async finish(size: number): Promise<string> {
    this.#size = size;
    const count = Math.ceil(size / this.#partBytes);
    await new Promise<void>((resolve) => {
      this.#settle = () => {
        if (this.#failure !== undefined || (this.#parts.size === 0 && this.#next >= count)) resolve();
      };
      this.advance(size);
      this.#settle();
    });
    if (this.#failure !== undefined) throw this.#failure;
    const whole = createHash('md5');
    for (const digest of this.#digests) whole.update(digest, 'hex');
    return `${whole.digest('hex')}-${count}`;
  }

  drop(): void {
    this.#failure ??= new Error('the digest is not wanted any more');
    for (const part of [...this.#parts]) part.drop();
    this.#settle();
  }

  async #hash(index: number, from: number, to: number): Promise<void> {
    const part = new DigestFollower(this.#path, ['md5'], { from });
    this.#parts.add(part);
    try {
      this.#digests[index] = (await part.finish(to))[0] ?? '';
    } catch (error) {
      this.#failure ??= error instanceof Error ? error : new Error(String(error));
    }
    this.#parts.delete(part);
    this.advance(this.#reached);
    this.#settle();
  }
}
