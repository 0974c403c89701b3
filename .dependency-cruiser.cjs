// The import rule (docs/architecture.md): who may know whom, by value. Type imports are free.
const values = { dependencyTypesNot: ['type-only'] };
const only = (name, from, allowed) => ({
  name,
  severity: 'error',
  from: { path: `^src/${from}/` },
  to: { ...values, path: '^src/', pathNot: [`^src/${from}/`, ...allowed.map((layer) => `^src/${layer}`)] },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true, ...values } },
    {
      name: 'domain-is-pure',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { pathNot: '^src/domain/' },
    },
    only('contracts', 'contracts', ['domain']),
    only('config', 'config', ['domain', 'contracts']),
    only('process', 'process', ['domain', 'contracts']),
    only('net', 'net', ['domain', 'contracts']),
    only('bytes', 'bytes', ['domain', 'contracts']),
    only('secrets', 'secrets', ['domain', 'contracts', 'bytes']),
    only('store', 'store', ['domain', 'contracts']),
    only('bandwidth', 'bandwidth', ['domain', 'contracts', 'store', 'net']),
    only('sources', 'sources', ['domain', 'contracts', 'bytes', 'net']),
    only('workflows', 'workflows', ['domain']),
    only('activities', 'activities', [
      'domain',
      'contracts',
      'store',
      'bytes',
      'bandwidth',
      'process',
      'secrets',
      'net',
    ]),
    only('api', 'api', [
      'domain',
      'contracts',
      'config',
      'store',
      'bytes',
      'bandwidth',
      'secrets',
      'net',
      'sources',
      'workflows/messages',
    ]),
    only('client', 'client', ['domain', 'contracts']),
    only('embedded', 'embedded', ['domain', 'contracts', 'config', 'process', 'bytes', 'client']),
    {
      name: 'workflows-need-no-node',
      severity: 'error',
      from: { path: '^src/workflows/' },
      to: { ...values, dependencyTypes: ['core', 'npm'], pathNot: '@temporalio/(workflow|common)' },
    },
    {
      name: 'one-spawn',
      severity: 'error',
      from: { pathNot: '^src/process/' },
      to: { path: 'execa|^(node:)?child_process$' },
    },
    {
      name: 'only-cli-runs-workers',
      severity: 'error',
      from: { pathNot: '^src/(workers|cli)/' },
      to: { path: '^src/workers/' },
    },
  ],
  options: {
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: 'specify',
    doNotFollow: { path: 'node_modules' },
  },
};
