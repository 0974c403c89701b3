// A small typed client of the native API, for the CLI and for tests.
import { Agent, type Dispatcher, request } from 'undici';
import type {
  CommandAnswer,
  CommandBody,
  CreateDataset,
  DatasetDetail,
  DatasetList,
  History,
  JobList,
  JobResource,
  Ready,
  UploadAnswer,
} from '../contracts/http.js';
import type { ChangeLimits, LimitList, LimitResource, OwnerLimits } from '../contracts/http-limits.js';
import type { TargetsChange } from '../contracts/http-targets.js';
import type { Verification } from '../contracts/http-verify.js';
import type { StartUpload } from '../sources/start.js';
import { ApiError, toApiError } from './api-error.js';
import { type EventFilter, followEvents, type ServerEvent } from './events.js';
import { multipartBody, type SendFile } from './multipart.js';
import { type TusCalls, tusCalls } from './tus.js';

export type DatasetCommand = 'pause' | 'resume' | 'cancel' | 'retry' | 'convert' | 'seal';
export type JobCommand = 'pause' | 'resume' | 'cancel' | 'retry';
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

export interface SendOptions {
  /** Told after every chunk: bytes of files that left, and of all files. */
  readonly onProgress?: (sent: number, total: number) => void;
  readonly signal?: AbortSignal;
  readonly idempotencyKey?: string;
}

/** @throws ApiError for every answer that is no success; undici's errors when the server cannot be reached */
export interface SluiceClient {
  readonly baseUrl: string;
  readonly datasets: {
    create(body: Partial<CreateDataset>, idempotencyKey?: string): Promise<DatasetDetail>;
    list(query?: Query): Promise<DatasetList>;
    get(uuid: string): Promise<DatasetDetail>;
    history(uuid: string): Promise<History>;
    command(uuid: string, command: DatasetCommand, body?: CommandBody): Promise<CommandAnswer>;
    /** Names of targets, a list or divided by commas. */
    changeTargets(uuid: string, body: TargetsChange): Promise<CommandAnswer>;
    /** Starts a job that proves its published product again. */
    verify(uuid: string, body?: CommandBody): Promise<Verification>;
    verification(uuid: string, jobId: string): Promise<Verification>;
    cancelVerification(uuid: string, jobId: string): Promise<CommandAnswer>;
  };
  readonly uploads: {
    /** Streams files in one form, its length told beforehand; nothing is held in memory. */
    sendFiles(
      files: readonly SendFile[],
      fields: Readonly<Record<string, string>>,
      options?: SendOptions,
    ): Promise<UploadAnswer>;
    /** Starts an upload whose source the server fetches itself. */
    start(body: StartUpload, idempotencyKey?: string): Promise<UploadAnswer>;
    list(query?: Query): Promise<JobList>;
    get(jobId: string): Promise<JobResource>;
  };
  /** Resumable uploads, call by call; `sendResumable` makes a whole of them. */
  readonly tus: TusCalls;
  readonly jobs: {
    list(query?: Query): Promise<JobList>;
    get(jobId: string): Promise<JobResource | Verification>;
    command(jobId: string, command: JobCommand, body?: CommandBody): Promise<CommandAnswer>;
    /** What the programs of this job wrote, the last `tail` bytes. */
    logs(jobId: string, tail?: number): Promise<string>;
  };
  readonly limits: {
    list(): Promise<LimitList>;
    owner(owner: string): Promise<OwnerLimits>;
    /** @param target `global`, `owners`, `owners/<owner>` or `jobs/<job id>` */
    change(target: string, body: ChangeLimits): Promise<LimitResource>;
  };
  /** State and progress as they happen; reconnects by itself until the signal ends it. */
  events(filter?: EventFilter, signal?: AbortSignal): AsyncGenerator<ServerEvent, void>;
  readonly health: {
    /** Whether the server answers at all. */
    alive(): Promise<boolean>;
    ready(): Promise<Ready>;
  };
  /** Closes the connections. */
  close(): Promise<void>;
}

/** @param baseUrl e.g. http://127.0.0.1:5000 */
export function createClient(baseUrl: string): SluiceClient {
  const base = baseUrl.replace(/\/+$/, '');
  // An upload may take hours, and its answer comes after the last byte.
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 10_000 } });
  const call = new Caller(base, agent);
  const jobs = {
    list: (query?: Query) => call.json<JobList>('GET', `/api/v1/jobs${search(query)}`),
    get: (jobId: string) =>
      call.json<JobResource | Verification>('GET', `/api/v1/jobs/${encodeURIComponent(jobId)}`),
    command: (jobId: string, command: JobCommand, body: CommandBody = {}) =>
      call.json<CommandAnswer>('POST', `/api/v1/jobs/${encodeURIComponent(jobId)}/${command}`, { body }),
    logs: (jobId: string, tail?: number) =>
      call.text('GET', `/api/v1/jobs/${encodeURIComponent(jobId)}/logs${search({ tail })}`),
  };
  return {
    baseUrl: base,
    datasets: datasetCalls(call),
    uploads: {
      sendFiles: (files, fields, options = {}) => sendFiles(call, files, fields, options),
      start: (body, key) => call.json<UploadAnswer>('POST', '/api/v1/uploads', { body, key }),
      list: (query) => call.json<JobList>('GET', `/api/v1/uploads${search(query)}`),
      get: (jobId) => call.json<JobResource>('GET', `/api/v1/uploads/${encodeURIComponent(jobId)}`),
    },
    tus: tusCalls(base, agent),
    jobs,
    limits: limitCalls(call),
    events: (filter = {}, signal) => followEvents(base, agent, filter, signal),
    health: {
      alive: async () => {
        try {
          await call.text('GET', '/healthz');
          return true;
        } catch {
          return false;
        }
      },
      ready: () => call.json<Ready>('GET', '/readyz', { accept: [503] }),
    },
    close: () => agent.destroy(),
  };
}

function datasetCalls(call: Caller): SluiceClient['datasets'] {
  const path = (uuid: string): string => `/api/v1/datasets/${encodeURIComponent(uuid)}`;
  return {
    create: (body, key) => call.json<DatasetDetail>('POST', '/api/v1/datasets', { body, key }),
    list: (query) => call.json<DatasetList>('GET', `/api/v1/datasets${search(query)}`),
    get: (uuid) => call.json<DatasetDetail>('GET', path(uuid)),
    history: (uuid) => call.json<History>('GET', `${path(uuid)}/history`),
    command: (uuid, command, body = {}) =>
      call.json<CommandAnswer>('POST', `${path(uuid)}/${command}`, { body }),
    changeTargets: (uuid, body) => call.json<CommandAnswer>('POST', `${path(uuid)}/targets`, { body }),
    verify: (uuid, body = {}) => call.json<Verification>('POST', `${path(uuid)}/verify`, { body }),
    verification: (uuid, jobId) =>
      call.json<Verification>('GET', `${path(uuid)}/verify/${encodeURIComponent(jobId)}`),
    cancelVerification: (uuid, jobId) =>
      call.json<CommandAnswer>('POST', `${path(uuid)}/verify/${encodeURIComponent(jobId)}/cancel`, {
        body: {},
      }),
  };
}

function limitCalls(call: Caller): SluiceClient['limits'] {
  const path = (target: string): string =>
    `/api/v1/limits/${target.split('/').map(encodeURIComponent).join('/')}`;
  return {
    list: () => call.json<LimitList>('GET', '/api/v1/limits'),
    owner: (owner) => call.json<OwnerLimits>('GET', path(`owners/${owner}`)),
    change: (target, body) => call.json<LimitResource>('PUT', path(target), { body }),
  };
}

async function sendFiles(
  call: Caller,
  files: readonly SendFile[],
  fields: Readonly<Record<string, string>>,
  { onProgress, signal, idempotencyKey: key }: SendOptions,
): Promise<UploadAnswer> {
  const form = multipartBody(files, fields, onProgress);
  const headers = { 'content-type': form.contentType, 'content-length': `${form.length}` };
  return await call.json<UploadAnswer>('POST', '/api/v1/uploads', {
    stream: form.body,
    headers,
    key,
    signal,
  });
}

interface CallOptions {
  readonly body?: unknown;
  readonly stream?: Dispatcher.DispatchOptions['body'];
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Statuses that are answers although they are no success. */
  readonly accept?: readonly number[];
}

class Caller {
  readonly #base: string;
  readonly #agent: Agent;

  constructor(base: string, agent: Agent) {
    this.#base = base;
    this.#agent = agent;
  }

  async json<T>(method: 'GET' | 'POST' | 'PUT', path: string, options: CallOptions = {}): Promise<T> {
    const text = await this.text(method, path, options);
    try {
      return JSON.parse(text) as T;
    } catch (error) {
      throw new ApiError(`${path} did not answer with JSON: is this a Sluice server?`, { cause: error });
    }
  }

  async text(method: 'GET' | 'POST' | 'PUT', path: string, options: CallOptions = {}): Promise<string> {
    const { body, stream, headers, key, signal, accept = [] } = options;
    const answer = await request(`${this.#base}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(stream === undefined ? {} : { body: stream }),
      ...(signal === undefined ? {} : { signal }),
    });
    const text = await answer.body.text();
    if (answer.statusCode < 300 || accept.includes(answer.statusCode)) return text;
    throw toApiError(answer.statusCode, text, answer.headers['retry-after']);
  }
}

function search(query: Query = {}): string {
  const set = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, `${value}`]],
  );
  return set.length === 0 ? '' : `?${new URLSearchParams(set as [string, string][])}`;
}
