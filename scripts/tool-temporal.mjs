// The Temporal CLI with its development server and Temporal Web, in one pinned version.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { must, onPath, run, withElapsed } from './run.mjs';
import { fetchFile, fetchText, provideDirectory, Unreachable } from './vendor.mjs';

const VERSION = '1.5.1';
const MODULE = 'github.com/temporalio/cli';
const RELEASE = `https://${MODULE}/releases/download/v${VERSION}`;

export const temporal = {
  name: 'temporal',
  program: 'temporal',
  variable: 'SLUICE_TEMPORAL_BIN',
  pinned: VERSION,
  words: `the Temporal CLI ${VERSION}`,
  remedy: `Install the Temporal CLI ${VERSION} and name it in SLUICE_TEMPORAL_BIN, or install Go so that it can be built.`,
  accepts: (version) => version === VERSION,
  cachedPath: (cache) => join(cache, `temporal-${VERSION}`, 'temporal'),
  version: temporalVersion,
  async provide(cache, progress) {
    await provideDirectory(join(cache, `temporal-${VERSION}`), async (work) => {
      if (await download(work, progress)) return;
      await buildWithGo(work, progress, {
        module: `${MODULE}/cmd/temporal@v${VERSION}`,
        program: 'temporal',
      });
    });
  },
};

/** A build by `go install` without our flags calls itself DEV; its server version then tells which it is. */
const SERVER_OF_VERSION = 'Server 1.29.1,';

async function temporalVersion(path) {
  const { code, output } = await run(path, ['--version'], { capture: true }).catch(() => ({
    code: 1,
    output: '',
  }));
  if (code !== 0) return undefined;
  if (output.includes('0.0.0-DEV') && output.includes(SERVER_OF_VERSION)) return VERSION;
  return /temporal version (\S+)/.exec(output)?.[1];
}

/** @returns whether the vendor could be reached */
async function download(work, progress) {
  const machine = { x64: 'amd64', arm64: 'arm64' }[process.arch];
  if (machine === undefined) return false;
  const archive = `temporal_cli_${VERSION}_${process.platform}_${machine}.tar.gz`;
  try {
    progress("asking the vendor's release page");
    const sums = await fetchText(`${RELEASE}/checksums.txt`);
    const sum = sums
      .split('\n')
      .find((line) => line.endsWith(archive))
      ?.slice(0, 64);
    if (sum === undefined) throw new Unreachable(`there is no release for ${process.platform} ${machine}`);
    await fetchFile(`${RELEASE}/${archive}`, join(work, archive), sum, progress);
    await must('tar', ['-xzf', join(work, archive), '-C', work, 'temporal'], { capture: true });
    return true;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    progress(`${error.message}; building it instead`);
    return false;
  }
}

/**
 * Builds a Go program into a directory; Go's checksum database proves the sources.
 * @param {{module: string, program: string}} what
 */
export async function buildWithGo(work, progress, what) {
  const [go] = onPath('go');
  if (go === undefined) throw new Error('the vendor cannot be reached and Go is not installed');
  let packages = 0;
  const count = (text) => {
    packages += text.split('\n').length - 1;
  };
  const flags = ['-v', `-ldflags=-s -w -X ${MODULE}/temporalcli.Version=${VERSION}`];
  const env = { ...process.env, GOBIN: join(work, 'bin'), CGO_ENABLED: '0' };
  progress('building it with Go (about 4 minutes on two cores; kept for the next time)');
  await withElapsed(
    (seconds) => progress(`building, ${seconds} s${packages > 0 ? `, ${packages} packages compiled` : ''}`),
    () => must(go, ['install', ...flags, what.module], { env, cwd: work, onOutput: count }),
  );
  await rename(join(work, 'bin', what.program), join(work, what.program));
}
