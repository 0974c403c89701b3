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
const OURS = 'ours';

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
    // Its copies by several threads are in parts, whatever the cut-off is.
    const whole = ['--s3-upload-cutoff', '5G', '--multi-thread-streams', '0'];
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
    // rclone has compared an MD5 itself where the object came in one PUT.
    const alike = key === 'single.bin' ? ['sha256'] : ['sha256', 'md5'];
    const peers: Record<string, () => Promise<number>> = {
      [`rclone copyto, ${alike.join(' and ')}`]: () => this.proven(key, size, rclone, alike),
      ...(alike.length > 1
        ? { 'rclone copyto, sha256': () => this.proven(key, size, rclone, ['sha256']) }
        : {}),
      'rclone copyto, nothing proven': () => this.proven(key, size, rclone, []),
      ...(awsProgram() === undefined
        ? {}
        : { 'aws s3 cp, sha256': () => this.proven(key, size, aws, ['sha256']) }),
    };
    const onRound = (round: number): void => this.say(`${what}, round ${round}`);
    const contestants: typeof peers = { ...peers, [OURS]: () => this.ours(endpoint, key, size) };
    const figures = await interleave(this.runs, contestants, onRound);
    return Object.keys(peers).map((peer) =>
      compare({ what, peer, unit: 'MiB/s', better: 'higher' }, figures[OURS] ?? [], figures[peer] ?? []),
    );
  }

  private async ours(endpoint: string, key: string, size: number): Promise<number> {
    const { ms, files } = await this.rig.ours(endpoint, key);
    this.expect(key, files[0]?.sha256 ?? 'none');
    return size / (ms / 1000);
  }

  /** @param digests are made at the same time */
  private async proven(
    key: string,
    size: number,
    fetch: () => Promise<void>,
    digests: readonly string[],
  ): Promise<number> {
    let told: string[] = [];
    const ms = await timed(async () => {
      await fetch();
      told = await Promise.all(
        digests.map((name) => this.rig.run('openssl', ['dgst', `-${name}`, '-r', this.file])),
      );
    });
    // SHA-256 is the first where there is any.
    for (const digest of told.slice(0, 1)) this.expect(key, digest.split(' ')[0] ?? '');
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
  'rclone and the aws cli run with their defaults, followed by openssl dgst of the file, several digests at the same time; rclone compares the MD5 of what came in one PUT, and neither of them that of parts, as ours does.',
  'fsync of the bytes counts on neither side; the server (versitygw over a directory, keep-alive on) and the clients share the machine.',
];
