// Programs that only the distribution has and that the tests use as real parts: found, or installed by apt.
import { withLock } from './lock.mjs';
import { isExecutable, lockFile, must, onPath, say } from './run.mjs';

/** By the name of the program; the package is Debian's and Ubuntu's. */
const PROGRAMS = {
  rsync: { package: 'rsync', use: 'source rsync' },
  ssh: { package: 'openssh-client', use: 'source rsync' },
  sshd: { package: 'openssh-server', use: 'source rsync' },
  bsdtar: { package: 'libarchive-tools', use: 'archives' },
  '7zz': { package: '7zip', use: 'archives' },
  unar: { package: 'unar', use: 'archives' },
  zstd: { package: 'zstd', use: 'archives' },
  xz: { package: 'xz-utils', use: 'archives' },
  bzip2: { package: 'bzip2', use: 'archives' },
};
/** Servers lie here, and the PATH of a user who is not root often leaves it out. */
const SERVERS = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/**
 * Every program, installed when one is missing and this machine lets us.
 * @throws Error naming what is missing and how to install it
 */
export async function ensureSystemTools(progress = say) {
  if (missing().length === 0) return;
  const install = () => installMissing(progress);
  if (mayInstall()) {
    await withLock(lockFile('apt'), install, () => progress('another process is installing; waiting'));
  }
  const names = missing();
  if (names.length === 0) return;
  const uses = [...new Set(names.map((name) => PROGRAMS[name].use))].join(', ');
  throw new Error(
    `${names.join(', ')} not found; the tests need ${names.length === 1 ? 'it' : 'them'} (${uses}). ` +
      `Install with: sudo apt-get install ${packagesOf(names).join(' ')}`,
  );
}

async function installMissing(progress) {
  const names = missing();
  if (names.length === 0) return;
  progress(`installing ${names.join(', ')} with apt-get (once)`);
  const options = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }, capture: true };
  // A list of packages that cannot be refreshed may still do.
  await must('apt-get', ['update', '-q'], options).catch((error) => progress(error.message));
  const args = ['install', '-q', '-y', '--no-install-recommends', ...packagesOf(names)];
  await must('apt-get', args, options).catch((error) => progress(error.message));
}

const missing = () => Object.keys(PROGRAMS).filter((name) => !isThere(name));
const isThere = (name) =>
  onPath(name).length > 0 || SERVERS.some((directory) => isExecutable(`${directory}/${name}`));
const packagesOf = (names) => [...new Set(names.map((name) => PROGRAMS[name].package))];
const mayInstall = () => process.getuid?.() === 0 && onPath('apt-get').length > 0;
