// A real S3 server (versitygw) over a directory of its own, and what tests put into it.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  CompleteMultipartUploadCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  PutBucketPolicyCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import type { S3Keys } from '../../src/contracts/s3-keys.js';
import { claimPort } from '../../src/embedded/ports.js';
import { type Daemon, startDaemon } from '../../src/process/daemon.js';

export const BUCKET = 'scans';
export const KEYS: S3Keys = { accessKeyId: 'AKIDTESTTESTTESTTEST', secretAccessKey: 'never-told-secret' };

export class S3Server {
  readonly origin: string;
  readonly client: S3Client;
  private readonly dir: string;
  private readonly port: number;
  private daemon: Daemon;

  private constructor(dir: string, port: number) {
    this.dir = dir;
    this.port = port;
    this.origin = `http://127.0.0.1:${port}`;
    const { accessKeyId, secretAccessKey } = KEYS;
    this.client = new S3Client({
      region: 'us-east-1',
      endpoint: this.origin,
      forcePathStyle: true,
      credentials: { accessKeyId, secretAccessKey },
    });
    this.daemon = this.spawn();
  }

  /** With the bucket BUCKET. */
  static async start(): Promise<S3Server> {
    const dir = await mkdtemp(join(tmpdir(), 'sluice-s3-'));
    for (const name of ['data', 'sidecar']) await mkdir(join(dir, name));
    const server = new S3Server(dir, await claimPort(0, 'PORT'));
    await server.ready();
    await server.client.send(new CreateBucketCommand({ Bucket: BUCKET }));
    return server;
  }

  /** Is away for a while, and then there again with what it had. */
  async restart(awayMs: number): Promise<void> {
    await this.daemon.stop(0);
    await sleep(awayMs);
    this.daemon = this.spawn();
    await this.ready();
  }

  private spawn(): Daemon {
    const args = ['--port', `127.0.0.1:${this.port}`, '--quiet', '--keep-alive', 'posix'];
    const places = ['--sidecar', join(this.dir, 'sidecar'), join(this.dir, 'data')];
    return startDaemon({
      name: 'versitygw',
      command: process.env['SLUICE_VERSITYGW_BIN'] ?? 'versitygw',
      args: [...args, ...places],
      env: { ROOT_ACCESS_KEY_ID: KEYS.accessKeyId, ROOT_SECRET_ACCESS_KEY: KEYS.secretAccessKey },
      logFile: join(this.dir, 'versitygw.log'),
    });
  }

  /** Where it keeps an object on disk. */
  pathOf(key: string, bucket = BUCKET): string {
    return join(this.dir, 'data', bucket, key);
  }

  async put(key: string, body: Buffer, bucket = BUCKET): Promise<void> {
    await this.client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));
  }

  /** An object that comes in parts; its ETag counts them. */
  async putParts(key: string, parts: Iterable<Buffer>): Promise<void> {
    const place = { Bucket: BUCKET, Key: key };
    const { UploadId } = await this.client.send(new CreateMultipartUploadCommand(place));
    const done: { PartNumber: number; ETag: string | undefined }[] = [];
    for (const Body of parts) {
      const PartNumber = done.length + 1;
      const { ETag } = await this.client.send(
        new UploadPartCommand({ ...place, UploadId, PartNumber, Body }),
      );
      done.push({ PartNumber, ETag });
    }
    const order = { ...place, UploadId, MultipartUpload: { Parts: done } };
    await this.client.send(new CompleteMultipartUploadCommand(order));
  }

  /** A bucket of which everybody may read each object, and nobody else may see the list. */
  async makeUnlisted(bucket: string): Promise<void> {
    await this.client.send(new CreateBucketCommand({ Bucket: bucket }));
    const Resource = `arn:aws:s3:::${bucket}/*`;
    const statement = { Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] });
    await this.client.send(new PutBucketPolicyCommand({ Bucket: bucket, Policy }));
  }

  async close(): Promise<void> {
    this.client.destroy();
    await this.daemon.stop(2_000);
    await rm(this.dir, { recursive: true, force: true });
  }

  private async ready(): Promise<void> {
    for (const end = Date.now() + 20_000; Date.now() < end; await sleep(20)) {
      if (this.daemon.ended) break;
      const answers = await fetch(this.origin).then(
        () => true,
        () => false,
      );
      if (answers) return;
    }
    throw new Error(`versitygw did not start; see ${this.daemon.logFile}`);
  }
}
