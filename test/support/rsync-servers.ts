// Real servers for rsync, as a source and as a target: its daemon and sshd, each a child of the test with files of its own.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { claimPort } from '../../src/embedded/ports.js';

export interface TestServer {
  readonly port: number;
  stop(): Promise<void>;
}

export interface RsyncDaemon extends TestServer {
  /** From now on it serves one connection at a time, and a stranger has it until this socket ends. */
  occupy(): Promise<Socket>;
}

export const USER = 'ada';
export const PASSWORD = 'a long word';

/**
 * Modules `open` (for everybody), `closed` (for USER with PASSWORD), `narrow` (reads as nobody), `gone` (no directory);
 * that may be written: `drop` (by USER with PASSWORD), `tight` (as nobody).
 */
export async function startRsyncDaemon(directory: string, data: string): Promise<RsyncDaemon> {
  mkdirSync(directory, { recursive: true });
  const port = await claimPort(0, 'PORT');
  const secrets = join(directory, 'secrets');
  writeFileSync(secrets, `${USER}:${PASSWORD}\n`, { mode: 0o600 });
  const who = process.getuid?.() === 0 ? 'uid = root\ngid = root\n' : '';
  const lines = [
    `port = ${port}\naddress = 127.0.0.1\nuse chroot = no\nread only = yes\n${who}`,
    `[open]\npath = ${data}\n`,
    `[closed]\npath = ${data}\nauth users = ${USER}\nsecrets file = ${secrets}\n`,
    `[narrow]\npath = ${data}\n${process.getuid?.() === 0 ? 'uid = nobody\ngid = nogroup\n' : ''}`,
    `[drop]\npath = ${data}\nread only = no\nauth users = ${USER}\nsecrets file = ${secrets}\n`,
    `[tight]\npath = ${data}\nread only = no\n${process.getuid?.() === 0 ? 'uid = nobody\ngid = nogroup\n' : ''}`,
    `[gone]\npath = ${join(directory, 'nothing')}\n`,
  ];
  const config = join(directory, 'rsyncd.conf');
  writeFileSync(config, lines.join('\n'));
  const log = join(directory, 'rsyncd.log');
  const args = ['--daemon', '--no-detach', `--config=${config}`, `--log-file=${log}`];
  return {
    ...(await start('rsync', args, port)),
    async occupy() {
      // Read anew for each connection.
      const one = `max connections = 1\nlock file = ${join(directory, 'lock')}\n`;
      writeFileSync(config, [one, ...lines].join('\n'));
      return await takePlace(port);
    },
  };
}

/** As a client that has chosen a module and then says nothing more. */
async function takePlace(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  socket.write('@RSYNCD: 31.0\nopen\n');
  let said = '';
  for await (const bytes of socket.iterator({ destroyOnReturn: false })) {
    said += String(bytes);
    if (said.includes('@RSYNCD: OK')) return socket.resume();
  }
  throw new Error(`the daemon gives no place: ${said}`);
}

export interface Sshd extends TestServer {
  readonly user: string;
  /** A private key that opens it. */
  readonly key: string;
  /** A private key that it does not know. */
  readonly otherKey: string;
  /** Its public half, `type base64`. */
  readonly otherPublic: string;
  /** `type base64`. */
  readonly hostKey: string;
}

export async function startSshd(directory: string): Promise<Sshd> {
  mkdirSync(directory, { recursive: true });
  // Where sshd separates its privileges; the package's own start makes it.
  if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
  const [host, key, other] = ['host', 'key', 'other'].map((name) => {
    const path = join(directory, name);
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', path]);
    return path;
  }) as [string, string, string];
  const port = await claimPort(0, 'PORT');
  const options = [
    'ListenAddress=127.0.0.1',
    `AuthorizedKeysFile=${key}.pub`,
    'StrictModes=no',
    'UsePAM=no',
    'PasswordAuthentication=no',
    `PidFile=${join(directory, 'pid')}`,
  ];
  const args = ['-D', '-e', '-f', '/dev/null', '-p', String(port), '-h', host];
  const server = await start('/usr/sbin/sshd', [...args, ...options.flatMap((one) => ['-o', one])], port);
  const read = (path: string): string => readFileSync(path, 'utf8');
  const publicOf = (path: string): string => read(`${path}.pub`).split(' ').slice(0, 2).join(' ').trim();
  return {
    ...server,
    user: userInfo().username,
    key: read(key),
    otherKey: read(other),
    otherPublic: publicOf(other),
    hostKey: publicOf(host),
  };
}

async function start(command: string, args: readonly string[], port: number): Promise<TestServer> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  let said = '';
  child.stderr.on('data', (bytes) => {
    said += String(bytes);
  });
  await listening(child, port, () => said);
  return {
    port,
    async stop() {
      const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
      // Its group: connections have processes of their own.
      if (child.pid !== undefined && gone !== undefined) process.kill(-child.pid, 'SIGKILL');
      await gone;
    },
  };
}

async function listening(child: ChildProcess, port: number, said: () => string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended: ${said()}`);
    const socket = connect(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isOpen) return;
    await sleep(20);
  }
  throw new Error(`${child.spawnfile} does not listen: ${said()}`);
}
