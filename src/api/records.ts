// The rows with which a dataset and an upload come into being, and the workflow input that a row stands for.
import type { DatasetDocument, JobDocument } from '../contracts/documents.js';
import type { DatasetInput, UploadOrder } from '../contracts/workflow.js';
import { type DatasetStatus, readStatus } from '../domain/dataset.js';
import { NORMAL_PRIORITY } from '../domain/priority.js';
import type { Sensor } from '../domain/sensor.js';
import type { SourceKind } from '../domain/source.js';
import type { DatasetDescription } from '../store/datasets.js';
import { leaseUntil } from '../store/receivers.js';

/** What a client says about a new dataset, after checking. */
export interface DatasetFields {
  readonly name: string;
  readonly sensor: Sensor;
  readonly user_email: string;
  readonly convert: boolean;
  readonly is_public: boolean;
  readonly is_public_downloadable: boolean;
  readonly folder: string | null;
  readonly team_uuid: string | null;
  readonly tags: string;
  readonly unpack_nested: boolean;
  readonly keep_archives: boolean;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** Publish targets; older clients have no word for them. */
  readonly publish_to?: readonly string[] | undefined;
}

/** The field `output` of a request is a parameter of the conversion. */
export const withOutput = <Fields extends DatasetFields>({
  output,
  ...fields
}: Fields & { readonly output?: string | undefined }): DatasetFields =>
  output === undefined ? fields : { ...fields, parameters: { ...fields.parameters, output } };

export function describeDataset(fields: DatasetFields): DatasetDescription {
  return {
    name: fields.name,
    sensor: fields.sensor,
    convert: fields.convert,
    data_conversion_needed: fields.convert,
    is_public: fields.is_public,
    is_public_downloadable: fields.is_public && fields.is_public_downloadable,
    folder_uuid: fields.folder,
    team_uuid: fields.team_uuid,
    tags: fields.tags,
    unpack_nested: fields.unpack_nested,
    keep_archives: fields.keep_archives,
    conversion_parameters: fields.parameters,
    ...(fields.publish_to?.length ? { publish_to: fields.publish_to } : {}),
  };
}

export function newDataset(
  uuid: string,
  fields: DatasetFields,
  first: { status: DatasetStatus; sourceType: SourceKind; jobId: string | null },
): DatasetDocument {
  const now = new Date();
  const { user_email: owner } = fields;
  const { status, sourceType, jobId } = first;
  return {
    uuid,
    ...describeDataset(fields),
    slug: slugOf(fields, now),
    user: owner,
    user_id: owner,
    user_email: owner,
    source_type: sourceType,
    job_id: jobId,
    status,
    status_message: '',
    error_message: null,
    total_size_bytes: 0,
    file_count: 0,
    created_at: now,
    updated_at: now,
    completed_at: null,
    sluice: { runId: null, revision: 0, status, stage: null, paused: null, failure: null, product: null },
  };
}

export interface NewUpload {
  readonly order: UploadOrder;
  readonly uuid: string;
  readonly owner: string;
  /** Origin in words, without secrets. */
  readonly source: string;
  /** Bytes that are announced; 0 = unknown. */
  readonly bytes: number;
  /** The API process that holds the upload until the workflow knows it. */
  readonly holder: string;
}

export function newUploadJob({ order, uuid, owner, source, bytes, holder }: NewUpload): JobDocument {
  const now = new Date();
  return {
    job_id: order.jobId,
    dataset_uuid: uuid,
    job_type: 'upload',
    status: 'running',
    upload_status: 'uploading',
    priority: order.priority ?? NORMAL_PRIORITY,
    user_email: owner,
    source_type: order.source.kind,
    source,
    bytes_uploaded: 0,
    bytes_total: bytes,
    file_count: 0,
    attempts: 1,
    max_attempts: 5,
    worker_id: null,
    parameters: { order },
    result: null,
    error: null,
    created_at: now,
    started_at: now,
    completed_at: null,
    updated_at: now,
    receiver: { id: holder, until: leaseUntil(), seal: order.seal },
    sluice: { runId: null, revision: 0, failure: null },
  };
}

/** What a run of the dataset's workflow is started with. */
export function datasetInput(
  row: DatasetDocument,
  run: Pick<DatasetInput, 'fresh' | 'reason' | 'by' | 'quietMs' | 'uploads' | 'priority' | 'sendAgain'>,
): DatasetInput {
  const { uuid, name, sensor, convert, team_uuid: team, conversion_parameters: parameters } = row;
  return {
    uuid,
    name,
    owner: row.user_email ?? row.user,
    ...(team ? { team } : {}),
    sensor,
    convert,
    parameters: parameters ?? {},
    ...archiveWishes(row),
    ...(row.publish_to?.length ? { publishTo: row.publish_to } : {}),
    status: readStatus(row.status),
    ...run,
  };
}

function archiveWishes({ unpack_nested, keep_archives }: DatasetDocument): Pick<DatasetInput, 'archives'> {
  const nested = unpack_nested === true ? ({ nested: true } as const) : {};
  const drop = keep_archives === false ? ({ drop: true } as const) : {};
  const archives = { ...nested, ...drop };
  return Object.keys(archives).length === 0 ? {} : { archives };
}

/** `<mail prefix>-<name lowercased, hyphenated>-<year>` */
function slugOf({ user_email, name }: DatasetFields, now: Date): string {
  const words = name
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '');
  return `${user_email.split('@')[0]}-${words}-${now.getUTCFullYear()}`;
}
