// What a namespace needs before work starts in it: our search attributes, and histories kept for 30 days.
import type { Connection } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import { SEARCH_ATTRIBUTES } from '../domain/ids.js';

const RETENTION = '30 days';

/** temporal.api.enums.v1.IndexedValueType */
const KEYWORD = 2;

/** Prepares a namespace of the embedded server. May be repeated. */
export async function prepareNamespace(connection: Connection, namespace: string): Promise<void> {
  await connection.workflowService.updateNamespace({
    namespace,
    config: { workflowExecutionRetentionTtl: msToTs(RETENTION) },
  });
  await registerSearchAttributes(connection, namespace);
}

/** Registers the search attributes that are missing, on an embedded or a foreign server. May be repeated. */
export async function registerSearchAttributes(connection: Connection, namespace: string): Promise<void> {
  const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
  const missing = SEARCH_ATTRIBUTES.filter((name) => !Object.hasOwn(customAttributes ?? {}, name));
  if (missing.length === 0) return;
  const searchAttributes = Object.fromEntries(missing.map((name) => [name, KEYWORD]));
  await connection.operatorService.addSearchAttributes({ namespace, searchAttributes });
}
