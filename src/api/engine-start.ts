// How a dataset's run looks in Temporal Web: id, queue, search attributes, its story in plain words.
import { createHash } from 'node:crypto';
import { defineSearchAttributeKey, SearchAttributeType, TypedSearchAttributes } from '@temporalio/common';
import type { JobOrder } from '../contracts/verification.js';
import type { DatasetInput } from '../contracts/workflow.js';
import { datasetWorkflowId, jobWorkflowId, QUEUES, type SEARCH_ATTRIBUTES } from '../domain/ids.js';
import { NORMAL_PRIORITY } from '../domain/priority.js';

/** The options with which every run of workflow `dataset` starts. */
export function datasetStart(input: DatasetInput) {
  const { uuid, name, owner, team, sensor, status, priority = NORMAL_PRIORITY } = input;
  const found = [
    keyword('SluiceKind', 'dataset'),
    keyword('SluiceDataset', uuid),
    keyword('SluiceOwner', owner),
    ...(team === undefined ? [] : [keyword('SluiceTeam', team)]),
    keyword('SluiceSensor', sensor),
    keyword('SluiceStatus', status),
  ];
  return {
    workflowId: datasetWorkflowId(uuid),
    taskQueue: QUEUES.control,
    args: [input] as [DatasetInput],
    priority: { priorityKey: priority, fairnessKey: fairnessKey(owner) },
    memo: { name, owner, sensor },
    typedSearchAttributes: new TypedSearchAttributes(found),
    staticSummary: `${name} (${sensor})`,
    staticDetails: details(input),
  };
}

/** The options with which a job of its own starts. */
export function jobStart(order: JobOrder) {
  const { jobId, uuid, name, owner, by, type } = order;
  const found = [
    keyword('SluiceKind', 'job'),
    keyword('SluiceDataset', uuid),
    keyword('SluiceOwner', owner),
    keyword('SluiceStatus', 'pending'),
  ];
  return {
    workflowId: jobWorkflowId(jobId),
    taskQueue: QUEUES.control,
    args: [order] as [JobOrder],
    priority: { priorityKey: NORMAL_PRIORITY, fairnessKey: fairnessKey(owner) },
    memo: { name, owner, type },
    typedSearchAttributes: new TypedSearchAttributes(found),
    staticSummary: `${type} ${name}`,
    staticDetails: `Asked for by ${by}, for the dataset \`${uuid}\`.`,
  };
}

/** Owners share the queues evenly; Temporal takes keys of 64 bytes, so longer names stand as their digest. */
const fairnessKey = (owner: string): string =>
  Buffer.byteLength(owner) <= 64 ? owner : createHash('sha256').update(owner).digest('hex');

const keyword = (name: (typeof SEARCH_ATTRIBUTES)[number], value: string) => ({
  key: defineSearchAttributeKey(name, SearchAttributeType.KEYWORD),
  value,
});

function details({ uuid, name, owner, sensor, convert, reason, by }: DatasetInput): string {
  const why = {
    delivery: 'files were delivered',
    retry: 'it is tried again',
    convert: 'it is converted again',
  };
  return [
    `Dataset **${name.replace(/[*_`[\]<>]/g, ' ')}**, ${sensor}, of ${owner}.`,
    `This run exists because ${why[reason]} (by ${by}). ${convert ? 'It is converted' : 'Its files are published as they are'}.`,
    `\`${uuid}\``,
  ].join('\n\n');
}
