// A store that only rclone speaks to here: WebDAV over a directory, served by another rclone, with a password; and
// how its configuration names this and the tests' S3 server.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { KEYS } from './s3-server.js';

export const RCLONE = process.env['SLUICE_RCLONE_BIN'] ?? 'rclone';
const USER = 'ada';
const PASSWORD = 'a long word';

export interface WebDav {
  readonly port: number;
  stop(): Promise<void>;
}

export async function startWebDav(data: string, password = PASSWORD): Promise<WebDav> {
  mkdirSync(data, { recursive: true });
  const args = ['serve', 'webdav', '--addr=127.0.0.1:0', '--dir-cache-time=0', '--log-level=NOTICE', data];
  const env = {
    ...process.env,
    RCLONE_USER: USER,
    RCLONE_PASS: password,
    RCLONE_CONFIG: join(data, '../none.conf'),
  };
  const child = spawn(RCLONE, args, { stdio: ['ignore', 'ignore', 'pipe'], env });
  const port = await new Promise<number>((resolve, reject) => {
    let said = '';
    child.stderr.on('data', (bytes) => {
      said += String(bytes);
      const found = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(said)?.[1];
      if (found !== undefined) resolve(Number(found));
    });
    child.once('error', reject).once('exit', () => reject(new Error(`rclone ended: ${said}`)));
  });
  return {
    port,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}

const obscured = new Map<string, string>();

/** A section of a configuration that reaches such a store. */
export function webDavRemote(name: string, port: number, password = PASSWORD): string {
  const pass =
    obscured.get(password) ?? execFileSync(RCLONE, ['obscure', password], { encoding: 'utf8' }).trim();
  obscured.set(password, pass);
  return `[${name}]\ntype = webdav\nurl = http://127.0.0.1:${port}\nvendor = other\nuser = ${USER}\npass = ${pass}\n`;
}

/** A section of a configuration that reaches an S3 server of the tests. */
export const s3Remote = (name: string, endpoint: string): string =>
  `[${name}]\ntype = s3\nprovider = Other\nendpoint = ${endpoint}\nregion = us-east-1\nforce_path_style = true\n` +
  `access_key_id = ${KEYS.accessKeyId}\nsecret_access_key = ${KEYS.secretAccessKey}\n`;
