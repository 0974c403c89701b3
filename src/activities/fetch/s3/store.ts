// A bucket of an S3-compatible store: the SDK lists and asks, and signs what our own HTTP client then fetches.
import {
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';
import { quoteName } from '../../../bytes/safe-names.js';
import type { S3Keys } from '../../../contracts/s3-keys.js';
import type { S3Source } from '../../../domain/source.js';
import type { HttpAnswer, HttpClient } from '../../../net/http.js';
import type { LaneBody, LanePlace } from '../../../net/lane.js';
import { connectionError } from '../transfer/tries.js';
import {
  type Asked,
  isElsewhere,
  isSkewed,
  type Problem,
  problemOfError,
  readProblem,
  refusal,
} from './problem.js';
import { requestHandler } from './request-handler.js';

type Signer = Awaited<ReturnType<S3Client['config']['signer']>>;
type Signable = Parameters<Signer['sign']>[0];

/** One object as a list tells it. */
export interface Listed {
  readonly key: string;
  readonly size: number;
  readonly etag: string | undefined;
}

export class S3Store {
  /** For messages. */
  readonly host: string;
  private readonly http: HttpClient;
  private readonly source: S3Source;
  private readonly keys: S3Keys | undefined;
  private region: string;
  private client: S3Client | undefined;
  private signer: Promise<Signer> | undefined;
  /** What the store's clock is ahead of ours, ms. */
  private ahead = 0;

  constructor(http: HttpClient, source: S3Source, keys: S3Keys | undefined) {
    this.http = http;
    this.source = source;
    this.keys = keys;
    this.region = source.region;
    this.host = this.endpoint.host;
  }

  /** All objects below a prefix, in the order of the store. @throws Fault, TryAgain */
  async page(
    prefix: string,
    after: string | undefined,
    signal: AbortSignal,
  ): Promise<{ objects: Listed[]; next?: string }> {
    const input = { Bucket: this.source.bucket, Prefix: prefix, EncodingType: 'url' as const };
    const command = new ListObjectsV2Command({
      ...input,
      ...(after === undefined ? {} : { ContinuationToken: after }),
    });
    const asked = { ...this.asked('s3:ListBucket') };
    const answer = await this.ask(asked, (client) => client.send(command, { abortSignal: signal }));
    // Names that XML cannot carry come encoded, where the store says so.
    const decode = answer.EncodingType === 'url' ? decodeKey : (key: string): string => key;
    const objects = (answer.Contents ?? []).flatMap(({ Key, Size, ETag }) =>
      Key === undefined ? [] : [{ key: decode(Key), size: Size ?? 0, etag: ETag }],
    );
    const next = answer.IsTruncated === true ? answer.NextContinuationToken : undefined;
    return { objects, ...(next === undefined || next === after ? {} : { next }) };
  }

  /** What the store tells about an object, or about one of its parts. @throws Fault, TryAgain */
  async head(key: string, signal: AbortSignal, part?: number): Promise<HeadObjectCommandOutput> {
    const which = part === undefined ? { ChecksumMode: 'ENABLED' as const } : { PartNumber: part };
    const command = new HeadObjectCommand({ Bucket: this.source.bucket, Key: key, ...which });
    const asked = this.asked('s3:GetObject', key);
    return await this.ask(asked, (client) => client.send(command, { abortSignal: signal }));
  }

  /** GET of an object: a 2xx, whose body the caller must read or destroy. @throws Fault, TryAgain, SourceChanged */
  async get(
    key: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    for (let again = false; ; again = true) {
      const answer = await this.send(key, headers, signal);
      if (answer.status < 300) return answer;
      const problem = await readProblem(answer);
      if (again || !this.adapt(problem)) throw refusal(problem, this.asked('s3:GetObject', key));
    }
  }

  /** GET of a range of an object, straight into a file. @throws LaneError, Fault `url_forbidden` */
  async aside(
    key: string,
    headers: Readonly<Record<string, string>>,
    place: LanePlace,
    signal: AbortSignal,
  ): Promise<LaneBody> {
    const { origin, path } = this.address(key);
    const { host: _, ...sent } = await this.signed(origin, path, { ...headers, host: origin.host });
    return await this.http.aside(origin, { path, headers: sent, place, signal });
  }

  close(): void {
    this.client?.destroy();
  }

  private async send(
    key: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { origin, path } = this.address(key);
    const sent = await this.signed(origin, path, { ...headers, host: origin.host });
    return await this.http.send(origin, { path, method: 'GET', headers: sent, signal });
  }

  private async signed(
    origin: URL,
    path: string,
    headers: Record<string, string>,
  ): Promise<Record<string, string>> {
    if (this.keys === undefined) return headers;
    const request = {
      method: 'GET',
      protocol: origin.protocol,
      hostname: origin.hostname,
      ...(origin.port === '' ? {} : { port: Number(origin.port) }),
      path,
      query: {},
      headers,
    };
    this.signer ??= this.sdk().config.signer(undefined);
    const signer = await this.signer;
    const options = {
      signingDate: new Date(Date.now() + this.ahead),
      signingRegion: this.region,
      signingService: 's3',
    };
    // The class of the SDK's requests brings nothing that signing needs.
    return (await signer.sign(request as Signable, options)).headers;
  }

  /** A call of the SDK, once more where the store lies in another region or has another time. */
  private async ask<T>(asked: Asked, call: (client: S3Client) => Promise<T>): Promise<T> {
    for (let again = false; ; again = true) {
      try {
        return await call(this.sdk());
      } catch (error) {
        const problem = problemOfError(error);
        if (problem === undefined) throw connectionError(error);
        if (again || !this.adapt(problem)) throw refusal(problem, asked);
      }
    }
  }

  /** Whether the problem told something by which the same request may succeed. */
  private adapt(problem: Problem): boolean {
    if (isElsewhere(problem) && problem.region !== undefined && problem.region !== this.region) {
      this.region = problem.region;
    } else if (isSkewed(problem) && problem.date !== undefined) {
      this.ahead = problem.date - Date.now();
    } else return false;
    this.client?.destroy();
    this.client = undefined;
    this.signer = undefined;
    return true;
  }

  private sdk(): S3Client {
    this.client ??= new S3Client({
      region: this.region,
      endpoint: this.endpoint.origin,
      forcePathStyle: this.source.pathStyle,
      requestHandler: requestHandler(this.http),
      maxAttempts: 1,
      // Stores other than AWS know no others; what AWS tells is compared when the file is whole.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      // Named, or the SDK looks for those of this machine.
      credentials: this.keys ?? { accessKeyId: '', secretAccessKey: '' },
      ...(this.keys === undefined ? { signer: { sign: async (request) => request } } : {}),
      useDualstackEndpoint: false,
      useFipsEndpoint: false,
      useArnRegion: false,
      systemClockOffset: this.ahead,
    });
    return this.client;
  }

  private get endpoint(): URL {
    const { endpoint } = this.source;
    const china = this.region.startsWith('cn-') ? '.cn' : '';
    return new URL(endpoint ?? `https://s3.${this.region}.amazonaws.com${china}`);
  }

  private address(key: string): { origin: URL; path: string } {
    const { bucket, pathStyle } = this.source;
    const path = key.split('/').map(encodePart).join('/');
    const origin = this.endpoint;
    if (pathStyle) return { origin, path: `/${bucket}/${path}` };
    origin.hostname = `${bucket}.${origin.hostname}`;
    return { origin, path: `/${path}` };
  }

  private asked(permission: Asked['permission'], key?: string): Asked {
    const { bucket } = this.source;
    return { host: this.host, bucket, permission, ...(key === undefined ? {} : { object: quoteName(key) }) };
  }
}

/** As signatures want it: everything but letters, digits and -._~ */
const encodePart = (part: string): string =>
  encodeURIComponent(part).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);

function decodeKey(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
