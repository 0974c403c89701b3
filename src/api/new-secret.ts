// A retry may bring new credentials of its source: the old ones were wrong, or ran out.
import type { JobDocument } from '../contracts/documents.js';
import { Fault } from '../domain/fault.js';
import type { Source } from '../domain/source.js';
import { checkSource, type SourceBody } from '../sources/registry.js';
import { orderOf } from '../store/jobs.js';
import { keepOrder } from '../store/receivers.js';
import { type ApiDeps, offerDeps } from './deps.js';

/**
 * Seals what the source brings in place of what the job has.
 * @throws Fault invalid_field when more than its credentials differs, and those of the source's own check
 */
export async function replaceSecret(deps: ApiDeps, job: JobDocument, body: SourceBody): Promise<void> {
  const { source, secret } = await checkSource(body, offerDeps(deps));
  const order = orderOf(job);
  if (order === undefined || textOf(order.source) !== textOf(source)) {
    throw new Fault('invalid_field', 'source: only its credentials may differ from those of the job.');
  }
  if (secret === undefined) await deps.vault.forget(job.job_id);
  else await deps.vault.seal(job.job_id, secret);
  await keepOrder(deps.store, { ...order, source });
}

/** What it is, apart from whether something of it is sealed. */
function textOf(source: Source): string {
  const entries = Object.entries(source).filter(([name, value]) => name !== 'sealed' && value !== undefined);
  return JSON.stringify(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}
