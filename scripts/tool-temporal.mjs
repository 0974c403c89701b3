// The Temporal CLI with its development server and Temporal Web, in one pinned version.
import { join } from 'node:path';
import { must, run } from './run.mjs';
import { buildWithGo } from './tool-go.mjs';
import { downloadRelease, provideDirectory } from './vendor.mjs';

const VERSION = '1.5.1';
const MODULE = 'github.com/temporalio/cli';

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
        variables: { [`${MODULE}/temporalcli.Version`]: VERSION },
        minutes: 4,
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
  return downloadRelease(work, progress, {
    base: `https://${MODULE}/releases/download/v${VERSION}`,
    sums: 'checksums.txt',
    archive: `temporal_cli_${VERSION}_${process.platform}_${machine}.tar.gz`,
    unpack: (archive) => must('tar', ['-xzf', archive, '-C', work, 'temporal'], { capture: true }),
  });
}
