// Source `rsync` by the contract, on a real daemon behind a proxy that counts and breaks.
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { RsyncSource } from '../../../src/domain/source.js';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.js';
import { PASSWORD, startRsyncDaemon, type TestServer, USER } from '../../support/rsync-servers.js';
import { type Bench, MIB } from './bench.js';
import { sourceContract } from './contract.js';

let daemon: TestServer | undefined;
let proxy: FaultProxy | undefined;

async function serve(bench: Bench): Promise<number> {
  daemon = await startRsyncDaemon(join(bench.dir, 'daemon'), join(bench.dir, 'data'));
  proxy = await startFaultProxy(daemon.port, { pace: 12 * MIB });
  return proxy.port;
}

sourceContract('rsync', {
  transfers: true,
  async put(bench, files, jobId) {
    for (const [name, bytes] of Object.entries(files)) {
      const path = join(bench.dir, 'data/set', name);
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, bytes);
    }
    await bench.deps.secrets.seal(jobId, { password: PASSWORD });
    return source(await serve(bench), 'closed/set');
  },
  async nothing(bench) {
    await mkdir(join(bench.dir, 'data/none/deeper'), { recursive: true });
    await bench.deps.secrets.seal('upload_1_0000000a', { password: PASSWORD });
    return { source: source(await serve(bench), 'closed/none'), code: 'no_files' };
  },
  given: () => proxy?.given() ?? 0,
  async end() {
    await proxy?.close();
    await daemon?.stop();
  },
});

const source = (port: number, path: string): RsyncSource => ({
  kind: 'rsync',
  via: 'daemon',
  host: '127.0.0.1',
  port,
  user: USER,
  path,
  sealed: true,
});
