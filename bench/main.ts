// npm run bench -- <name>: measures us beside a peer in the same run; a table, or JSON with --json.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { PROJECT_ROOT } from '../src/config/env.js';
import { type Bench, runBench } from './harness.js';
import { runPeer } from './peer/servers.js';
import { printReport } from './print.js';

// Loaded when they are run: a peer that is this program again must not carry what the benches need.
const BENCHES: Readonly<Record<string, () => Promise<Bench>>> = {
  orchestration: async () => (await import('./orchestration.js')).orchestration,
  extract: async () => (await import('./extract.js')).extract,
  convert: async () => (await import('./convert.js')).convert,
  'reaction-upload': async () => (await import('./reaction-upload.js')).reactionUpload,
  upload: async () => (await import('./upload.js')).upload,
  'transfer-url': async () => (await import('./transfer-url.js')).transferUrl,
  'transfer-s3': async () => (await import('./transfer-s3.js')).transferS3,
  'many-files': async () => (await import('./many-files.js')).manyFiles,
  'small-datasets': async () => (await import('./small-datasets.js')).smallDatasets,
  memory: async () => (await import('./memory.js')).memory,
  status: async () => (await import('./status.js')).status,
};

const USAGE = `npm run bench -- <${Object.keys(BENCHES).join('|')}> [--json] [--runs <n>] [--size <MiB>] [--save]
`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      save: { type: 'boolean', default: false },
      runs: { type: 'string' },
      size: { type: 'string' },
      // A peer that is a process of its own: this program again, so that it needs no other entry.
      peer: { type: 'string' },
    },
  });
  if (values.peer === 'unpack') return await (await import('./peer/unpack.js')).runUnpack(positionals);
  if (values.peer !== undefined) return await runPeer(values.peer, positionals);
  const [name = ''] = positionals;
  const load = BENCHES[name];
  if (load === undefined || positionals.length !== 1) {
    process.stderr.write(USAGE);
    return 2;
  }
  const report = await runBench(name, await load(), {
    ...(values.runs === undefined ? {} : { runs: Number(values.runs) }),
    ...(values.size === undefined ? {} : { size: Number(values.size) }),
    say: (text) => process.stderr.write(`bench: ${text}\n`),
  });
  if (values.save) save(name, report);
  process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : printReport(report));
  return 0;
}

/** Results that docs/performance.md quotes are kept beside the benches. */
function save(name: string, report: object): void {
  const directory = join(PROJECT_ROOT, 'bench', 'results');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, `${name}.json`), `${JSON.stringify(report, null, 2)}\n`);
}

process.exitCode = await main();
