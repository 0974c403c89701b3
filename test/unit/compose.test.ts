// The composition and its images: well-formed, closed to the outside, and the same flags as the embedded server.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig, PROJECT_ROOT } from '../../src/config/env.js';
import { ownArguments } from '../../src/config/own-process.js';
import { settingsSchema } from '../../src/config/settings.js';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly network_mode?: string;
  readonly restart?: string;
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly healthcheck?: { readonly test: string | readonly string[] };
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}
interface Composition {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const read = (path: string): string => readFileSync(join(PROJECT_ROOT, path), 'utf8');
const { services, volumes, ...top } = parse(read('docker-compose.yml'), { merge: true }) as Composition;
const all = Object.entries(services);
const OURS = ['api', 'worker', 'worker-compute'];

/** Fills in `${NAME:-default}` as it is when nothing is set. */
const filled = (text: string): string => text.replace(/\$\{\w+(?::-([^}]*))?\}/g, (_, preset = '') => preset);
const environmentOf = (service: string): Record<string, string> =>
  Object.fromEntries(
    Object.entries(services[service]?.environment ?? {}).map(([name, value]) => [
      name,
      filled(String(value)),
    ]),
  );

test('docker-compose takes it; where that is missing, it has only the keys that 1.29 knows', () => {
  const checked = spawnSync(
    'docker-compose',
    ['-f', join(PROJECT_ROOT, 'docker-compose.yml'), 'config', '-q'],
    {
      encoding: 'utf8',
    },
  );
  if (checked.error === undefined) expect([checked.status, checked.stderr]).toEqual([0, '']);
  expect(Object.keys(top).filter((key) => !key.startsWith('x-'))).toEqual([]);
  const known =
    /^(image|build|command|entrypoint|restart|init|stop_grace_period|logging|volumes|environment|healthcheck|depends_on|ports|network_mode)$/;
  expect(all.flatMap(([, service]) => Object.keys(service)).filter((key) => !known.test(key))).toEqual([]);
});

test('every name that is used is defined, and every file exists', () => {
  const waited = all.flatMap(([, { depends_on = {} }]) => Object.keys(depends_on));
  expect(waited.filter((name) => services[name] === undefined)).toEqual([]);
  const mounted = all.flatMap(([, { volumes: mounts = [] }]) =>
    mounts.map((mount) => mount.split(':')[0] ?? ''),
  );
  const missing = mounted.filter((from) =>
    from.startsWith('./') ? !existsSync(join(PROJECT_ROOT, from)) : !(from in volumes),
  );
  expect(missing).toEqual([]);
  const built = all.flatMap(([, { build }]) =>
    build === undefined ? [] : [join(build.context, build.dockerfile)],
  );
  expect(built.filter((file) => !existsSync(join(PROJECT_ROOT, file)))).toEqual([]);
});

test('what goes on running has a health check, and what is waited for can tell that it is ready', () => {
  const lasting = all.filter(([, { restart }]) => restart === 'unless-stopped').map(([name]) => name);
  expect(lasting).toEqual(expect.arrayContaining(['postgres', 'temporal', 'mongo', ...OURS]));
  expect(lasting.filter((name) => services[name]?.healthcheck === undefined)).toEqual([]);
  for (const [, { depends_on = {} }] of all) {
    for (const [name, { condition }] of Object.entries(depends_on)) {
      const wanted = lasting.includes(name) ? 'service_healthy' : 'service_completed_successfully';
      expect([name, condition]).toEqual([name, wanted]);
    }
  }
});

test('only loopback is published, and only the API shares the network of the host', () => {
  const published = all.flatMap(([, { ports = [] }]) => ports);
  expect(published.length).toBeGreaterThan(0);
  expect(published.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  const shared = all.filter(([, service]) => service.network_mode !== undefined).map(([name]) => name);
  expect(shared).toEqual(['api']);
  expect(services.api?.network_mode).toBe('host');
});

describe('our processes', () => {
  test.each(OURS)('%s: its settings are known and taken as they are', (name) => {
    const environment = environmentOf(name);
    const known = [...Object.keys(settingsSchema('/').shape), 'NODE_OPTIONS'];
    expect(Object.keys(environment).filter((variable) => !known.includes(variable))).toEqual([]);
    const config = loadConfig(environment, '/nowhere');
    expect(config.temporal.address).toBeDefined();
    expect(config.mongo.url).toBeDefined();
    expect(config.dirs.in.startsWith('/var/lib/sluice/')).toBe(true);
    expect(services[name]?.volumes).toContain('sluice:/var/lib/sluice');
  });

  test('the API is started by Node as without containers', () => {
    const flags = ownArguments('api').slice(0, -2);
    expect(flags.length).toBeGreaterThan(0);
    expect(environmentOf('api')['NODE_OPTIONS']).toBe(flags.join(' '));
    expect(environmentOf('worker')['NODE_OPTIONS']).toBeUndefined();
    expect(ownArguments('worker')).toHaveLength(2);
  });

  test('together they serve every queue', () => {
    const queues = ['worker', 'worker-compute'].flatMap(
      (name) => loadConfig(environmentOf(name), '/nowhere').worker.queues,
    );
    expect([...queues].sort()).toEqual(['compute', 'control', 'transfer']);
  });

  test('the API reaches by the loopback of the host what is published there', () => {
    const { temporal, mongo } = loadConfig(environmentOf('api'), '/nowhere');
    const published = all.flatMap(([, { ports = [] }]) => ports.map((port) => filled(port)));
    for (const address of [temporal.address ?? '', new URL(mongo.url ?? '').host]) {
      expect(published.filter((port) => port.startsWith(`${address}:`))).toHaveLength(1);
    }
  });
});

test('Temporal has the flags of the embedded server that do not assume one host', () => {
  const flags = parse(read('docker/temporal/dynamic-config.yaml')) as Record<string, { value: unknown }[]>;
  const embedded = [...read('src/embedded/temporal.ts').matchAll(/^ {2}'([a-z]+\.\w+)': (.+),$/gm)];
  const forOneHost = /PollRPS$|TimeShift$/;
  const wanted = embedded
    .filter(([, key = '']) => !forOneHost.test(key))
    .map(([, key, value]) => [key, value]);
  expect(wanted.length).toBeGreaterThan(0);
  expect(
    Object.entries(flags)
      .map(([key, [first]]) => [key, String(first?.value)])
      .sort(),
  ).toEqual(wanted.sort());
});

describe('images', () => {
  const files = readdirSync(join(PROJECT_ROOT, 'docker')).filter((name) => name.endsWith('.Dockerfile'));

  test.each(files)('%s copies only what exists and names versions', (name) => {
    const lines = read(join('docker', name)).split('\n');
    const copied = lines
      .filter((line) => line.startsWith('COPY ') && !line.includes('--from='))
      .flatMap((line) => line.split(/\s+/).slice(1, -1));
    expect(copied.filter((path) => !existsSync(join(PROJECT_ROOT, path)))).toEqual([]);
    const bases = lines.filter((line) => line.startsWith('FROM ')).map((line) => line.split(/\s+/)[1] ?? '');
    expect(bases.length).toBeGreaterThan(0);
    expect(bases.filter((base) => !/:\d|^\$\{BASE\}$/.test(base))).toEqual([]);
  });

  test('the application does not run as root, and starts what sluice.mjs starts', () => {
    const lines = read('docker/app.Dockerfile').split('\n');
    expect(lines.filter((line) => line.startsWith('USER ')).at(-1)).toMatch(/^USER [1-9]\d*:[1-9]\d*$/);
    const [, entry = ''] = /^ENTRYPOINT \["node", "dist\/(.+)\.js"\]$/m.exec(lines.join('\n')) ?? [];
    expect(existsSync(join(PROJECT_ROOT, `${entry}.ts`))).toBe(true);
  });

  test('every image of others has a version', () => {
    const used = all.flatMap(([, { image = '' }]) => image);
    expect(used.filter((image) => !/:v?\d/.test(image))).toEqual([]);
  });
});
