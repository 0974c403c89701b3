// What the commands on datasets and jobs share: a running server, output, and the names that people type.
import { loadConfig } from '../config/env.js';
import type { CommandAnswer } from '../contracts/http.js';
import { isUuid } from '../domain/ids.js';
import { usage } from './exit.js';
import { type Io, processIo } from './io.js';
import { requireServer, type Server } from './server.js';

/** Works with the running server. @throws CliError `unreachable`, and what the work throws */
export async function withServer(work: (server: Server, io: Io) => Promise<void>): Promise<void> {
  const server = await requireServer(loadConfig());
  try {
    await work(server, processIo());
  } finally {
    await server.close();
  }
}

const PAGE = 500;
const PAGES = 20;

/** The uuid that a beginning stands for. @throws CliError (exit 2) when none or several begin so */
export async function resolveDataset(server: Server, text: string): Promise<string> {
  const prefix = text.toLowerCase();
  if (isUuid(prefix)) return prefix;
  if (!/^[0-9a-f-]{4,36}$/.test(prefix)) {
    throw usage(
      `${JSON.stringify(text)} is no dataset.`,
      'Give a uuid or its beginning (sluice datasets ls).',
    );
  }
  const found: string[] = [];
  let cursor: string | undefined;
  for (let page = 0; page < PAGES; page += 1) {
    const at = cursor;
    const list = await server.call((client) => client.datasets.list({ limit: PAGE, cursor: at }));
    found.push(...list.datasets.map(({ uuid }) => uuid).filter((uuid) => uuid.startsWith(prefix)));
    if (list.next === null) break;
    cursor = list.next;
  }
  const [only, ...more] = found;
  if (only !== undefined && more.length === 0) return only;
  if (only === undefined) throw usage(`No dataset begins with ${text}.`, 'See `sluice datasets ls`.');
  throw usage(
    `Several datasets begin with ${text}: ${found.slice(0, 5).join(', ')}.`,
    'Give more of the uuid.',
  );
}

export function printAnswer(io: Io, verb: string, what: string, answer: CommandAnswer, json: boolean): void {
  if (json) io.out(JSON.stringify(answer));
  const later = answer.notice ?? 'it takes effect when a worker runs';
  io.err(answer.done ? `sluice: ${verb} ${what}: done` : `sluice: ${verb} ${what}: accepted; ${later}`);
}
