// Offer of the source `s3`: an object, a prefix or a bucket of an S3-compatible store. Access keys are sealed.
import { z } from 'zod';
import type { S3Keys } from '../contracts/s3-keys.js';
import { Fault } from '../domain/fault.js';
import type { S3Source } from '../domain/source.js';
import type { UrlGuard } from '../net/url-guard.js';
import { offer, type SourceOptions } from './offer.js';

const DEFAULT_REGION = 'us-east-1';

/** Names of buckets, those of older and of other stores included; they become part of a host's name or of a path. */
const bucket = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{1,254}$/, 'must be the name of a bucket');
const key = z.string().min(1).max(1024);
const endpoint = z.string().min(1).max(2048);
const region = z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'must be the name of a region');
const accessKey = z.string().min(1).max(256);
const secretKey = z.string().min(1).max(1024);
const token = z.string().min(1).max(16_384);

const schema = z.strictObject({
  type: z.literal('s3'),
  bucket,
  key: key.optional().describe('one object; with "/" at its end as `prefix`'),
  prefix: key.optional().describe('all objects whose keys begin with it; neither: the whole bucket'),
  endpoint: endpoint.optional().describe('address of the store; left out: AWS'),
  region: region.optional(),
  path_style: z.boolean().optional().describe('default: true where an endpoint is given'),
  access_key_id: accessKey.optional().describe('left out: the bucket is read anonymously'),
  secret_access_key: secretKey.optional(),
  session_token: token.optional(),
});
type Body = z.output<typeof schema>;

export const s3Offer = offer({
  schema,
  parameters: {
    required: ['bucket_name', 'object_key', 'access_key_id', 'secret_access_key'],
    optional: ['region', 'endpoint', 'folder', 'team_uuid'],
  },

  async check(body, { urlGuard }) {
    const secret = keysOf(body);
    const source = {
      kind: 's3',
      bucket: body.bucket,
      ...whatOf(body),
      ...endpointOf(body, urlGuard),
      region: body.region ?? DEFAULT_REGION,
      pathStyle: pathStyleOf(body),
      sealed: secret !== undefined,
    } as const satisfies S3Source;
    return secret === undefined ? { source } : { source, secret };
  },

  compat: {
    config: z
      .object({
        bucket_name: bucket,
        object_key: key,
        access_key_id: accessKey,
        secret_access_key: secretKey,
        region: region.optional(),
        endpoint: endpoint.optional(),
      })
      .transform(({ bucket_name, object_key, ...rest }) => ({
        type: 's3' as const,
        bucket: bucket_name,
        key: object_key,
        ...rest,
      })),
    seconds: 300,
  },

  cli: {
    example: 's3://bucket/key',
    read(text, options) {
      const [, name, rest = ''] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(text) ?? [];
      if (name === undefined) return undefined;
      return { body: cliBody(name, rest, options), name: nameOf(name, rest) };
    },
  },
});

function cliBody(name: string, rest: string, { endpoint: address, region: place, s3Keys }: SourceOptions) {
  return {
    type: 's3' as const,
    bucket: name,
    ...(rest === '' ? {} : { key: rest }),
    ...(address === undefined ? {} : { endpoint: address }),
    ...(place === undefined ? {} : { region: place }),
    ...(s3Keys === undefined
      ? {}
      : { access_key_id: s3Keys.accessKeyId, secret_access_key: s3Keys.secretAccessKey }),
    ...(s3Keys?.sessionToken === undefined ? {} : { session_token: s3Keys.sessionToken }),
  };
}

/** The last part of the key, or the bucket. */
const nameOf = (name: string, rest: string): string => rest.split('/').filter(Boolean).at(-1) ?? name;

/** @throws Fault invalid_field */
function keysOf({
  access_key_id: accessKeyId,
  secret_access_key: secretAccessKey,
  session_token: sessionToken,
}: Body): S3Keys | undefined {
  if (accessKeyId === undefined && secretAccessKey === undefined && sessionToken === undefined)
    return undefined;
  if (accessKeyId === undefined || secretAccessKey === undefined) {
    throw new Fault(
      'invalid_field',
      'access_key_id and secret_access_key belong together: give both, or neither for a bucket that everybody may read.',
    );
  }
  return { accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : { sessionToken }) };
}

/** @throws Fault invalid_field */
function whatOf({ key: one, prefix }: Body): Pick<S3Source, 'key' | 'prefix'> {
  if (one !== undefined && prefix !== undefined)
    throw new Fault('invalid_field', 'key names one object, prefix many: give one of them.');
  if (one !== undefined && !one.endsWith('/')) return { key: one, prefix: false };
  return { key: one ?? prefix ?? '', prefix: true };
}

/** @throws Fault invalid_field, url_forbidden */
function endpointOf({ endpoint: text, bucket: name }: Body, urlGuard: UrlGuard): Pick<S3Source, 'endpoint'> {
  if (text === undefined) return {};
  const url = urlGuard.check(text);
  if (
    url.username !== '' ||
    url.password !== '' ||
    url.search !== '' ||
    url.hash !== '' ||
    url.pathname !== '/'
  ) {
    throw new Fault(
      'invalid_field',
      `The endpoint is the address of the store alone (https://host:port); the bucket ${JSON.stringify(name)} stands in its own field.`,
    );
  }
  return { endpoint: url.origin };
}

/** Where the name of the bucket cannot be part of a host's name, it stands in the path, whatever was asked. */
function pathStyleOf({ path_style: asked, endpoint: address, bucket: name }: Body): boolean {
  return (
    asked === true || !/^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$/.test(name) || (asked ?? address !== undefined)
  );
}
