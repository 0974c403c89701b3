// Bench transfer-s3: a large object, proven by its digest, beside rclone and the aws cli from the same server.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchOptions, type Findings, peakMemory } from './harness.js';
import { awsProgram, S3Rig, writeBytes } from './s3-rig.js';
import { type Comparison, compare, figure, interleave, timed } from './stats.js';

const RUNS = 7;
const DEFAULT_MIB = 2048;
const SLOW_MIB = 512;
const SLOW = { delayMs: 50, bytesPerSecond: 50_000_000 };
const WORKER_LIMIT_MB = 400;

export async function transferS3({ runs = RUNS, size = DEFAULT_MIB, say }: BenchOptions): Promise<Findings> {
  return await S3Rig.with(say, async (rig) => {
    const bench = new TransferS3(rig, runs, say);
    await bench.prepare(size);
    const far = await rig.far(SLOW.delayMs, SLOW.bytesPerSecond);
    const slow = `${SLOW.delayMs} ms away, ${SLOW.bytesPerSecond / 1e6} MB/s a connection, ${SLOW_MIB} MiB`;
    const comparisons = [
      ...(await bench.compare(`one PUT of ${size} MiB`, rig.near, 'single.bin', size)),
      ...(await bench.compare(`parts of 8 MiB, ${size} MiB`, rig.near, 'parts.bin', size)),
      ...(await bench.compare(slow, far, 'slow.bin', SLOW_MIB)),
    ];
    return {
      comparisons,
      figures: [figure('worker: peak memory', 'MB', [await peakMemory(rig.fetcher.pid)], WORKER_LIMIT_MB)],
      notes: NOTES,
      versions: await rig.versions(),
    };
  });
}

class TransferS3 {
  private readonly rig: S3Rig;
  private readonly runs: number;
  private readonly say: (text: string) => void;
  private readonly digests = new Map<string, string>();

  constructor(rig: S3Rig, runs: number, say: (text: string) => void) {
    this.rig = rig;
    this.runs = runs;
    this.say = say;
  }

  /** The same bytes as one PUT (the ETag is their MD5) and in parts (it is none), and fewer for the slow line. */
  async prepare(size: number): Promise<void> {
    const { rig } = this;
    const whole = ['--s3-upload-cutoff', '5G'];
    const parts = ['--s3-upload-cutoff', '5M', '--s3-chunk-size', '8M', '--s3-disable-checksum'];
    const put = async (key: string, mib: number, options: readonly string[]): Promise<void> => {
      this.say(`putting ${key}, ${mib} MiB`);
      await writeBytes(this.file, mib * 2 ** 20);
      await rig.rclone(rig.near, 'copyto', ...options, this.file, `store:scans/${key}`);
      await rm(this.file);
    };
    await put('single.bin', size, whole);
    await put('parts.bin', size, parts);
    await put('slow.bin', SLOW_MIB, parts);
  }

  async compare(what: string, endpoint: string, key: string, size: number): Promise<Comparison[]> {
    const { rig, file } = this;
    const rclone = () => rig.rclone(endpoint, 'copyto', `store:scans/${key}`, file);
    const aws = () => rig.aws(endpoint, 's3', 'cp', '--only-show-errors', `s3://scans/${key}`, file);
    const hasAws = awsProgram() !== undefined;
    const contestants: Record<string, () => Promise<number>> = {
      ours: () => this.ours(endpoint, key, size),
      rclone: () => this.proven(key, size, rclone),
      ...(hasAws ? { aws: () => this.proven(key, size, aws) } : {}),
    };
    const onRound = (round: number): void => this.say(`${what}, round ${round}`);
    const { ours, rclone: theirs, aws: others } = await interleave(this.runs, contestants, onRound);
    const beside = (peer: string, figures: readonly number[] = []) =>
      compare({ what, peer, unit: 'MiB/s', better: 'higher' }, ours ?? [], figures);
    return [
      beside('rclone copyto, then openssl', theirs),
      ...(hasAws ? [beside('aws s3 cp, then openssl', others)] : []),
    ];
  }

  private async ours(endpoint: string, key: string, size: number): Promise<number> {
    const { ms, files } = await this.rig.ours(endpoint, key);
    this.expect(key, files[0]?.sha256 ?? 'none');
    return size / (ms / 1000);
  }

  private async proven(key: string, size: number, fetch: () => Promise<void>): Promise<number> {
    let digest = '';
    const ms = await timed(async () => {
      await fetch();
      digest = await this.rig.run('openssl', ['dgst', '-sha256', '-r', this.file]);
    });
    this.expect(key, digest.split(' ')[0] ?? '');
    await rm(this.file);
    return size / (ms / 1000);
  }

  /** All must come to one digest. */
  private expect(key: string, digest: string): void {
    const before = this.digests.get(key) ?? digest;
    this.digests.set(key, before);
    if (before !== digest) throw new Error(`two digests of ${key}: ${before}, ${digest}`);
  }

  private get file(): string {
    return join(this.rig.home, 'peer.bin');
  }
}

const NOTES = [
  'Ours is the whole stage: the transfer by ranges, its journal, SHA-256 and the digest that the ETag tells (MD5, or MD5 of the parts), list of files, receipt and move into the dataset.',
  'rclone and the aws cli run with their defaults, each followed by openssl dgst -sha256 of the file; rclone compares the MD5 of what came in one PUT, and neither of them that of parts.',
  'fsync of the bytes counts on neither side; the server (versitygw over a directory, keep-alive on) and the clients share the machine.',
];
