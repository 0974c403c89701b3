// versitygw: a real S3 server over a directory, for tests and benches only.
import { readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { must, run } from './run.mjs';
import { buildWithGo } from './tool-go.mjs';
import { downloadRelease, provideDirectory } from './vendor.mjs';

const VERSION = '1.8.0';
const MODULE = 'github.com/versity/versitygw';

export const versitygw = {
  name: 'versitygw',
  program: 'versitygw',
  variable: 'SLUICE_VERSITYGW_BIN',
  pinned: VERSION,
  words: `the S3 server versitygw ${VERSION} (for tests)`,
  remedy: `Install versitygw ${VERSION} and name it in SLUICE_VERSITYGW_BIN, or install Go so that it can be built.`,
  accepts: (version) => version === VERSION,
  cachedPath: (cache) => join(cache, `versitygw-${VERSION}`, 'versitygw'),
  version: versitygwVersion,
  async provide(cache, progress) {
    await provideDirectory(join(cache, `versitygw-${VERSION}`), async (work) => {
      if (await download(work, progress)) return;
      await buildWithGo(work, progress, {
        module: `${MODULE}/cmd/versitygw@v${VERSION}`,
        program: 'versitygw',
        variables: { 'main.Version': VERSION },
        minutes: 2,
      });
    });
  },
};

async function versitygwVersion(path) {
  const { code, output } = await run(path, ['--version'], { capture: true }).catch(() => ({
    code: 1,
    output: '',
  }));
  if (code !== 0) return undefined;
  const told = /^Version\s*: *v?(\S+)/m.exec(output)?.[1];
  return told === 'git' ? builtVersion(path) : told;
}

/** A build without our flags does not know its version, but Go wrote that of its module into it. */
async function builtVersion(path) {
  const bytes = await readFile(path);
  const mark = `mod\t${MODULE}\tv`;
  const at = bytes.indexOf(mark);
  if (at < 0) return undefined;
  return /^[^\t\n]+/.exec(bytes.toString('latin1', at + mark.length, at + mark.length + 40))?.[0];
}

/** @returns whether the vendor could be reached */
async function download(work, progress) {
  const system = { linux: 'Linux', darwin: 'Darwin' }[process.platform];
  const machine = { x64: 'x86_64', arm64: 'arm64' }[process.arch];
  if (system === undefined || machine === undefined) return false;
  const name = `versitygw_v${VERSION}_${system}_${machine}`;
  return downloadRelease(work, progress, {
    base: `https://${MODULE}/releases/download/v${VERSION}`,
    sums: 'checksums.txt',
    archive: `${name}.tar.gz`,
    async unpack(archive) {
      await must('tar', ['-xzf', archive, '-C', work, `${name}/versitygw`], { capture: true });
      await rename(join(work, name, 'versitygw'), join(work, 'versitygw'));
    },
  });
}
