// Names that several places must agree on: workflow ids (reversible), task queues, keys.

/** Task queues. control: workflows, mirror, small I/O; transfer: network and disk; compute: converters. */
export const QUEUES = { control: 'control', transfer: 'transfer', compute: 'compute' } as const;
export type Queue = (typeof QUEUES)[keyof typeof QUEUES];

const DATASET = 'dataset:';
const UPLOAD = 'upload:';

export const datasetWorkflowId = (uuid: string): string => `${DATASET}${uuid}`;
export const uploadWorkflowId = (jobId: string): string => `${UPLOAD}${jobId}`;

/** Of a job that runs on its own. */
export const jobWorkflowId = (jobId: string): string => `job:${jobId}`;

/** The entity a workflow id names, or undefined when it is not one of ours. */
export function parseWorkflowId(id: string): { kind: 'dataset' | 'upload'; id: string } | undefined {
  if (id.startsWith(DATASET)) return { kind: 'dataset', id: id.slice(DATASET.length) };
  if (id.startsWith(UPLOAD)) return { kind: 'upload', id: id.slice(UPLOAD.length) };
  return undefined;
}

/** An upload's job id in the contract's shape `upload_<unix seconds>_<8 hex>`. */
export function uploadJobId(epochMs: number, random8Hex: string): string {
  return `upload_${Math.floor(epochMs / 1000)}_${random8Hex}`;
}

/** Of a verification, likewise. */
export function verifyJobId(epochMs: number, random8Hex: string): string {
  return `verify_${Math.floor(epochMs / 1000)}_${random8Hex}`;
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const JOB_ID = /^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$/;

export const isUuid = (text: string): boolean => UUID.test(text);
/** Whether the text may be a job id; such a text is also a safe file name. */
export const isJobId = (text: string): boolean => JOB_ID.test(text);

/** Search attributes (all Keyword) that every workflow of ours carries. */
export const SEARCH_ATTRIBUTES = [
  'SluiceKind',
  'SluiceDataset',
  'SluiceOwner',
  'SluiceTeam',
  'SluiceSensor',
  'SluiceStatus',
] as const;
