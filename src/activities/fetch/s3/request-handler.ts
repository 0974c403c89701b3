// The SDK's requests through our own HTTP client: its guard and its limits hold for them too.
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { HttpClient } from '../../../net/http.js';

interface SdkRequest {
  readonly method: string;
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number;
  readonly path: string;
  readonly query?: Readonly<Record<string, string | string[] | null>>;
  readonly headers: Readonly<Record<string, string>>;
}

export function requestHandler(http: HttpClient): NonNullable<S3ClientConfig['requestHandler']> {
  const handler = {
    async handle(request: SdkRequest, { abortSignal }: { abortSignal?: AbortSignal } = {}) {
      const { protocol, hostname, port, method, headers } = request;
      if (method !== 'GET' && method !== 'HEAD') throw new Error(`a source never sends ${method}`);
      const origin = new URL(`${protocol}//${hostname}${port === undefined ? '' : `:${port}`}`);
      const path = request.path + queryOf(request.query ?? {});
      const signal = abortSignal ?? new AbortController().signal;
      const answer = await http.send(origin, { path, method, headers, signal });
      return { response: { statusCode: answer.status, headers: answer.headers, body: answer.body } };
    },
  };
  return handler as NonNullable<S3ClientConfig['requestHandler']>;
}

function queryOf(query: NonNullable<SdkRequest['query']>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === null ? [encode(name)] : [value].flat().map((one) => `${encode(name)}=${encode(one)}`),
  );
  return pairs.length === 0 ? '' : `?${pairs.join('&')}`;
}

const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
