// Settings: ranks, defaults, and every mistake at once.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { describeConfig } from '../../src/config/describe.js';
import { ConfigError, loadConfig } from '../../src/config/env.js';

const scratch = (): string => mkdtempSync(join(tmpdir(), 'sluice-config-'));

function problemsOf(variables: Record<string, string>, cwd = scratch()): readonly string[] {
  try {
    loadConfig(variables, cwd);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('nothing set gives an embedded installation below the current directory', () => {
  const cwd = scratch();
  const config = loadConfig({}, cwd);
  expect(config.home).toBe(join(cwd, '.sluice'));
  expect(config.api).toEqual({ host: '127.0.0.1', port: 5000 });
  expect(config.temporal).toEqual({
    namespace: 'default',
    port: 7233,
    uiPort: 8233,
    uiUrl: 'http://127.0.0.1:8233',
  });
  expect(config.mongo).toEqual({ db: 'scientistcloud', port: 27017 });
  expect(config.dirs).toEqual({
    in: join(cwd, '.sluice/data/upload'),
    out: join(cwd, '.sluice/data/converted'),
  });
  expect(config.worker.queues).toEqual(['control', 'transfer', 'compute']);
  expect(Object.isFrozen(config.api)).toBe(true);
});

test('all mistakes are named at once, each with its variable', () => {
  const problems = problemsOf({
    PORT: '70000',
    SLUICE_MONGO_PORT: 'abc',
    SLUICE_QUEUES: 'control,gpu',
    SLUICE_LOG_LEVEL: 'loud',
    MONGO_URL: 'http://x',
    TEMPORAL_ADDRESS: 'no-port',
    SLUICE_EXTRACT_BYTES: '5 parsecs',
    SLUICE_LOCAL_ROOTS: 'relative/path',
    SLUICE_QUIET_MS: '-1',
  });
  const named = problems.map((problem) => problem.split(':')[0]);
  expect(new Set(named)).toEqual(
    new Set([
      'PORT',
      'SLUICE_MONGO_PORT',
      'SLUICE_QUEUES',
      'SLUICE_LOG_LEVEL',
      'MONGO_URL',
      'TEMPORAL_ADDRESS',
      'SLUICE_EXTRACT_BYTES',
      'SLUICE_LOCAL_ROOTS',
      'SLUICE_QUIET_MS',
    ]),
  );
});

test.each(['0.0.0.0', '192.168.1.5', '::', 'example.org'])('HOST %s is refused with the remedy', (host) => {
  const [problem, ...others] = problemsOf({ HOST: host });
  expect(others).toEqual([]);
  expect(problem).toMatch(/^HOST: must be 127\.0\.0\.1, ::1 or localhost.*no authentication.*tunnel/);
});

test.each(['127.0.0.1', '::1', 'localhost'])('HOST %s is accepted', (host) => {
  expect(problemsOf({ HOST: host })).toEqual([]);
});

test('the environment outranks .env, which outranks SLUICE_ENV_FILES, which outrank settings.json', () => {
  const cwd = scratch();
  writeFileSync(join(cwd, 'first'), 'PORT=3\nSLUICE_QUIET_MS=3\nTEMPORAL_NAMESPACE=first\n');
  writeFileSync(join(cwd, 'second'), 'TEMPORAL_NAMESPACE=second\nSLUICE_SETTINGS=settings.json\n');
  writeFileSync(join(cwd, '.env'), '# ports\nPORT="2"\nSLUICE_MONGO_PORT=2222\nDB_NAME=\n');
  writeFileSync(
    join(cwd, 'settings.json'),
    JSON.stringify({ db_name: 'old', in_data_dir: '/a/in', out_data_dir: '/a/out', auth_dir: '/a/auth' }),
  );
  const config = loadConfig({ PORT: '1', SLUICE_ENV_FILES: 'first:second', JOB_OUT_DATA_DIR: '/b/out' }, cwd);
  expect(config.api.port).toBe(1);
  expect(config.mongo).toEqual({ db: 'old', port: 2222 });
  expect(config.quietMs).toBe(3);
  expect(config.temporal.namespace).toBe('first');
  expect(config.dirs).toEqual({ in: '/a/in', out: '/b/out' });
});

test('a settings or environment file that cannot be read is a mistake, not an empty file', () => {
  const cwd = scratch();
  writeFileSync(join(cwd, 'broken.json'), '{"db_name":');
  expect(problemsOf({ SLUICE_SETTINGS: 'broken.json', SLUICE_ENV_FILES: 'absent' }, cwd)).toEqual([
    `SLUICE_ENV_FILES: the file ${join(cwd, 'absent')} cannot be read`,
    `SLUICE_SETTINGS: the file ${join(cwd, 'broken.json')} is not a JSON object that can be read`,
  ]);
});

test('VISUS_DATASETS gives both directories, and they may not overlap', () => {
  expect(loadConfig({ VISUS_DATASETS: '/v' }, scratch()).dirs).toEqual({
    in: '/v/upload',
    out: '/v/converted',
  });
  expect(problemsOf({ JOB_IN_DATA_DIR: '/v', JOB_OUT_DATA_DIR: '/v/out' })[0]).toMatch(/^JOB_OUT_DATA_DIR:/);
});

test('sizes may have a unit, lists are divided, ports may not be shared', () => {
  const config = loadConfig(
    {
      SLUICE_CONVERTER_BYTES: '3 GiB',
      SLUICE_MAX_UPLOAD_BYTES: '17',
      SLUICE_URL_ALLOW: 'a.example, 10.0.0.0/8',
      SLUICE_LOCAL_ROOTS: '/x:/y',
    },
    scratch(),
  );
  expect(config.limits.converterBytes).toBe(3 * 2 ** 30);
  expect(config.limits.uploadBytes).toBe(17);
  expect(config.urlAllow).toEqual(['a.example', '10.0.0.0/8']);
  expect(config.localRoots).toEqual(['/x', '/y']);
  expect(problemsOf({ PORT: '7233' })).toEqual([
    'SLUICE_TEMPORAL_PORT: is 7233 as PORT is; give each its own',
  ]);
  expect(problemsOf({ PORT: '0', SLUICE_TEMPORAL_PORT: '0' })).toEqual([]);
});

test('TLS files must exist and come in pairs', () => {
  const cwd = scratch();
  writeFileSync(join(cwd, 'cert.pem'), 'x');
  expect(problemsOf({ TEMPORAL_TLS_CLIENT_CERT_PATH: 'cert.pem' }, cwd)).toHaveLength(1);
  expect(problemsOf({ TEMPORAL_TLS_SERVER_CA_CERT_PATH: 'absent.pem' }, cwd)[0]).toMatch(
    /^TEMPORAL_TLS_SERVER_CA_CERT_PATH: must name a file/,
  );
  expect(loadConfig({ TEMPORAL_TLS: 'true' }, cwd).temporal.tls).toEqual({});
});

test('a description shows the settings and no secret', () => {
  const config = loadConfig(
    { MONGO_URL: 'mongodb://me:s3cret@db.example/?authMechanismProperties=tok3n', TEMPORAL_API_KEY: 'k3y' },
    scratch(),
  );
  const described = describeConfig(config);
  expect(described.MONGO_URL).toContain('mongodb://me:***@db.example/');
  expect(JSON.stringify(described)).not.toMatch(/s3cret|tok3n|k3y/);
});

test('publish targets: secrets by reference, every mistake told, nothing secret shown', () => {
  const cwd = scratch();
  const write = (targets: unknown): string => {
    const path = join(cwd, 'targets.json');
    writeFileSync(path, typeof targets === 'string' ? targets : JSON.stringify(targets));
    return path;
  };
  writeFileSync(join(cwd, 'key.txt'), 'from-a-file\n');
  const keys = { access_key_id: { env: 'KEY_ID' }, secret_access_key: { file: 'key.txt' } };
  const archive = {
    type: 's3',
    bucket: 'products',
    endpoint: 'https://s.example.org',
    prefix: '/a/b',
    ...keys,
  };
  const private_key = { file: 'key.txt' };
  const mirror = {
    type: 'rsync',
    to: 'ada@host.example.org:products/',
    private_key,
    url: 'https://d.example.org',
  };
  const nas = { type: 'directory', path: '/mnt/nas/products/' };
  const config = loadConfig({ SLUICE_TARGETS: write({ archive, mirror, nas }), KEY_ID: 'AKID' }, cwd);
  expect(config.targets).toEqual([
    {
      kind: 's3',
      name: 'archive',
      bucket: 'products',
      prefix: 'a/b/',
      endpoint: 'https://s.example.org',
      region: 'us-east-1',
      pathStyle: true,
      keys: { accessKeyId: 'AKID', secretAccessKey: 'from-a-file' },
    },
    {
      kind: 'rsync',
      name: 'mirror',
      via: 'ssh',
      host: 'host.example.org',
      port: 22,
      user: 'ada',
      path: 'products',
      privateKey: 'from-a-file',
      url: 'https://d.example.org/',
    },
    { kind: 'directory', name: 'nas', path: '/mnt/nas/products' },
  ]);
  const shown = JSON.stringify(describeConfig(config));
  expect(shown).toContain('archive = s3://products/a/b/');
  expect(shown).toContain('mirror = ssh://host.example.org/~/products/');
  expect(shown).not.toMatch(/from-a-file|AKID/);

  const bad = {
    'no name': archive,
    other: { ...archive, type: 'ftp' },
    plain: { ...archive, secret_access_key: 'in-the-file' },
    gone: { ...archive, secret_access_key: { file: 'gone.txt' }, access_key_id: { env: 'NOT_SET' } },
    typo: { ...archive, bukket: 'x' },
    inside: { type: 'rsync', to: 'rsync://ada:in-the-file@host.example.org/products' },
    keyless: { type: 'rsync', to: 'ada@host.example.org:products' },
    mixed: { ...mirror, to: 'rsync://host.example.org/products' },
    nowhere: { ...mirror, to: 'in-the-file' },
    near: { ...nas, path: 'products' },
  };
  const problems = problemsOf({ SLUICE_TARGETS: write(bad), KEY_ID: 'AKID' }, cwd);
  expect(problems.every((problem) => problem.startsWith('SLUICE_TARGETS: '))).toBe(true);
  const text = problems.join('\n');
  const parts = ['"no name"', 'other.type', 'plain.secret_access_key', 'NOT_SET', 'gone.txt', 'bukket'];
  for (const part of [
    ...parts,
    'inside.to',
    'keyless: over ssh',
    'mixed: an rsync daemon',
    'nowhere.to',
    'near.path',
  ])
    expect(text).toContain(part);
  expect(text).not.toContain('in-the-file');
  expect(problemsOf({ SLUICE_TARGETS: write('{"secret": ') }, cwd).join()).toMatch(/not a JSON object/);
  const own = {
    JOB_OUT_DATA_DIR: '/data/out',
    SLUICE_TARGETS: write({ nas: { ...nas, path: '/data/out/far' } }),
  };
  expect(problemsOf(own, cwd).join()).toMatch(/nas\.path: must lie neither in a directory of Sluice/);
});
