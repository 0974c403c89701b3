// The end of an upload whose bytes came in order.
import { Fault } from '../../domain/fault.js';
import type { ApiDeps } from '../deps.js';
import type { HeldWriter } from './port.js';
import { finish, refuse } from './session.js';

/**
 * When the last byte is there: proves the digest that was announced, and tells the workflow.
 * @returns whether it is complete
 * @throws Fault checksum_mismatch (the upload ends with it), upload_locked
 */
export async function completeIfWhole(deps: ApiDeps, writer: HeldWriter): Promise<boolean> {
  const { found, offset } = writer;
  const { bytes, path, sha256 } = found.session;
  if (bytes === null || offset !== bytes) return false;
  const digest = await writer.digest();
  await writer.confirm();
  const { writers } = deps;
  if (sha256 !== undefined && digest !== undefined && digest !== sha256) {
    const fault = new Fault(
      'checksum_mismatch',
      `The file has the SHA-256 digest ${digest}, not the announced one.`,
    );
    await refuse(deps, found, fault);
    await writers.forget(found.job.job_id);
    throw fault;
  }
  const proof = sha256 ?? digest;
  await finish(deps, found, [{ path, size: bytes, ...(proof === undefined ? {} : { sha256: proof }) }]);
  await writers.forget(found.job.job_id);
  return true;
}
