// Sends files to the API as any HTTP client would: with the platform's own fetch and FormData.
import { openAsBlob, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Sent {
  readonly status: number;
  readonly body: Record<string, unknown>;
  readonly job: string;
  readonly uuid: string;
}

/** POST /api/v1/uploads with all files of a directory (or the ones named). */
export async function sendDirectory(
  api: string,
  directory: string,
  fields: Readonly<Record<string, string>> = {},
): Promise<Sent> {
  const form = new FormData();
  const native = { name: 'a test', user_email: 'ada@example.org', sensor: 'TIFF', ...fields };
  for (const [name, value] of Object.entries(native)) form.append(name, value);
  const names = readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  for (const path of names) form.append('file', await openAsBlob(path), path.slice(directory.length + 1));
  // Making the data blocked this process: let it hear first that the server closed an idle connection.
  await sleep(20);
  return await answer(await fetch(`${api}/api/v1/uploads`, { method: 'POST', body: form }));
}

/** POST JSON. */
export async function postJson(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<Sent> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  return await answer(response);
}

async function answer(response: Response): Promise<Sent> {
  const body = (await response.json()) as Record<string, unknown>;
  return {
    status: response.status,
    body,
    job: String(body['job_id'] ?? ''),
    uuid: String(body['dataset_uuid'] ?? body['uuid'] ?? ''),
  };
}
