// rclone: needed by the source of that name, by tests and as a peer of benches; never by the start of a server.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { must, run } from './run.mjs';
import { buildWithGo } from './tool-go.mjs';
import { findPython } from './tool-python.mjs';
import { downloadRelease, provideDirectory } from './vendor.mjs';

const VERSION = '1.76.0';
const OLDEST = [1, 75];
const MODULE = 'github.com/rclone/rclone';

export const rclone = {
  name: 'rclone',
  program: 'rclone',
  variable: 'SLUICE_RCLONE_BIN',
  pinned: VERSION,
  words: `rclone ${OLDEST.join('.')} or later`,
  remedy: `Install rclone ${OLDEST.join('.')} or later, or name it in SLUICE_RCLONE_BIN.`,
  accepts: (version) => {
    const [major = 0, minor = 0] = version.split('.').map(Number);
    return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  },
  cachedPath: (cache) => join(cache, `rclone-${VERSION}`, 'rclone'),
  version: rcloneVersion,
  async provide(cache, progress) {
    await provideDirectory(join(cache, `rclone-${VERSION}`), async (work) => {
      if (await download(work, progress)) return;
      await buildWithGo(work, progress, {
        module: `${MODULE}@v${VERSION}`,
        program: 'rclone',
        variables: { [`${MODULE}/fs.Version`]: `v${VERSION}` },
        minutes: 3,
      });
    });
  },
};

async function rcloneVersion(path) {
  const { code, output } = await run(path, ['version'], { capture: true }).catch(() => ({
    code: 1,
    output: '',
  }));
  return code === 0 ? /^rclone v(\d+\.\d+\.\d+)/m.exec(output)?.[1] : undefined;
}

/** @returns whether the vendor could be reached */
async function download(work, progress) {
  const system = { linux: 'linux', darwin: 'osx' }[process.platform];
  const machine = { x64: 'amd64', arm64: 'arm64' }[process.arch];
  if (system === undefined || machine === undefined) return false;
  const name = `rclone-v${VERSION}-${system}-${machine}`;
  return downloadRelease(work, progress, {
    base: `https://downloads.rclone.org/v${VERSION}`,
    sums: 'SHA256SUMS',
    archive: `${name}.zip`,
    async unpack(archive) {
      await must(await findPython(), ['-m', 'zipfile', '-e', archive, work], { capture: true });
      await must('chmod', ['755', join(work, name, 'rclone')], { capture: true });
      await rename(join(work, name, 'rclone'), join(work, 'rclone'));
    },
  });
}
