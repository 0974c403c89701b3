// The activity extractArchives in a mock context, on a dataset of its own, and what must be true after it.
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createExtractActivities } from '../../src/activities/extract/index.js';
import { archiveKind } from '../../src/activities/fetch/archive-kind.js';
import type { ProgressReport } from '../../src/activities/support/heartbeat.js';
import type { Roots } from '../../src/bytes/layout.js';
import { putManifest, readManifest } from '../../src/bytes/store.js';
import { PROJECT_ROOT } from '../../src/config/env.js';
import type { ExtractInput, ExtractOutput, Waits } from '../../src/contracts/activities.js';
import type { FileEntry } from '../../src/contracts/claim.js';
import { SmallDisk } from './small-disk.js';

export const UUID = '6f0d1a52-9d4e-4a53-8f3e-333333333333';
const LIMITS = { extractBytes: 50_000_000, extractRatio: 200, extractEntries: 1000, extractDepth: 20 };
export type Limits = Partial<typeof LIMITS>;
export type Files = Readonly<Record<string, Buffer>>;

export const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

export interface ExtractOptions {
  readonly limits?: Limits;
  readonly onProgress?: (env: MockActivityEnvironment) => void;
  readonly input?: Partial<ExtractInput>;
}

export class Extraction {
  readonly dir: string;
  readonly roots: Roots;
  /** Where everything lies, once it is given a size. */
  readonly disk: SmallDisk;
  reports: ProgressReport[] = [];

  private constructor(dir: string) {
    this.dir = dir;
    this.roots = { in: join(dir, 'in'), out: join(dir, 'out') };
    this.disk = new SmallDisk(this.roots.in);
  }

  static async create(): Promise<Extraction> {
    return new Extraction(await mkdtemp(join(tmpdir(), 'sluice-extract-')));
  }

  close(): Promise<void> {
    this.disk.remove();
    return rm(this.dir, { recursive: true, force: true });
  }

  inDataset(path: string): string {
    return join(this.roots.in, UUID, path);
  }

  /** Puts files into the dataset, as fetch does, and tells the claim of their list. */
  async deliver(files: Files, name = 'upload_1_a') {
    const entries: FileEntry[] = [];
    for (const [path, content] of Object.entries(files)) {
      await mkdir(dirname(this.inDataset(path)), { recursive: true });
      await writeFile(this.inDataset(path), content);
      const archive = await archiveKind(this.inDataset(path));
      entries.push({ path, size: content.length, sha256: digest(content), ...(archive && { archive }) });
    }
    return await putManifest(this.roots, UUID, name, { version: 1, files: entries });
  }

  /** Delivers the files and unpacks the archives among them. */
  async extract(files: Files, options: ExtractOptions = {}): Promise<ExtractOutput> {
    return await this.run({ uuid: UUID, manifests: [await this.deliver(files)], ...options.input }, options);
  }

  async run(input: ExtractInput, { limits, onProgress }: ExtractOptions = {}): Promise<ExtractOutput> {
    const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
    const report = (progress: ProgressReport): void => {
      this.reports.push(progress);
      onProgress?.(env);
    };
    const { extractArchives } = createExtractActivities({
      roots: this.roots,
      limits: { ...LIMITS, ...limits },
      progress: { report },
      python: process.env['SLUICE_PYTHON'] ?? 'SLUICE_PYTHON is not set: tests start with "npm test"',
      converters: join(PROJECT_ROOT, 'converters'),
      logs: join(this.dir, 'logs'),
      converterBytes: 2 ** 31,
      threads: 2,
    });
    return (await env.run<[ExtractInput], ExtractOutput | Waits, typeof extractArchives>(
      extractArchives,
      input,
    )) as ExtractOutput;
  }

  /** Proves bytes and list; staging is empty. */
  async prove(output: ExtractOutput, expected: Files): Promise<void> {
    const { files } = await readManifest(this.roots, output.manifest);
    expect(files.map(({ path }) => path)).toEqual(Object.keys(expected).sort());
    for (const { path, size, sha256 } of files) {
      const want = expected[path] ?? Buffer.alloc(0);
      const found = digest(await readFile(this.inDataset(path)));
      expect([path, size, sha256, found]).toEqual([path, want.length, digest(want), digest(want)]);
    }
    expect(output).toMatchObject({
      files: files.length,
      bytes: files.reduce((sum, { size }) => sum + size, 0),
    });
    await this.proveEmptyStaging();
  }

  async proveEmptyStaging(): Promise<void> {
    expect(await readdir(join(this.roots.in, '.staging')).catch(() => [])).toEqual([]);
  }

  /** The archive is refused with this code, and nothing but the archive lies on the disk. */
  async proveRefused(name: string, bytes: Buffer, code: string, options: ExtractOptions = {}): Promise<void> {
    const expected = expect.objectContaining({ type: code, nonRetryable: true });
    await expect(this.extract({ [name]: bytes }, options)).rejects.toEqual(expected);
    await this.proveEmptyStaging();
    expect(await readdir(this.inDataset('.'))).toEqual([name]);
    expect(await readdir(join(this.roots.in, '.receipts')).catch(() => [])).toEqual([]);
  }
}
