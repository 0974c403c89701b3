// Where settings come from besides the environment: .env, the files in SLUICE_ENV_FILES, an older settings.json.
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';

export type Variables = Readonly<Record<string, string | undefined>>;

/**
 * All variables by falling rank: environment, `.env`, SLUICE_ENV_FILES in their order, settings.json. An empty
 * text counts as not given. What cannot be read is added to `problems`.
 */
export function gatherVariables(environment: Variables, cwd: string, problems: string[]): Variables {
  const dotenv = existsSync(resolve(cwd, '.env')) ? readEnvFile(resolve(cwd, '.env'), '.env', problems) : {};
  const named = { ...given(dotenv), ...given(environment) };
  const files = (named.SLUICE_ENV_FILES ?? '').split(':').filter((file) => file !== '');
  const fromFiles = files.map((file) => readEnvFile(resolve(cwd, file), 'SLUICE_ENV_FILES', problems));
  const lower = Object.assign({}, ...fromFiles.map(given).reverse()) as Variables;
  const all = { ...lower, ...named };
  const settings = all.SLUICE_SETTINGS;
  return settings === undefined ? all : { ...readSettings(resolve(cwd, settings), problems), ...all };
}

function given(variables: Variables): Variables {
  return Object.fromEntries(
    Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''),
  );
}

function readEnvFile(path: string, variable: string, problems: string[]): Variables {
  try {
    return parseEnv(readFileSync(path, 'utf8'));
  } catch {
    problems.push(`${variable}: the file ${path} cannot be read`);
    return {};
  }
}

/** Keys of the older settings file and the variables they stand for; its other keys have no meaning here. */
const SETTINGS_KEYS = {
  db_name: 'DB_NAME',
  in_data_dir: 'JOB_IN_DATA_DIR',
  out_data_dir: 'JOB_OUT_DATA_DIR',
} as const;

function readSettings(path: string, problems: string[]): Variables {
  const settings = parseSettings(path);
  if (settings === undefined) {
    problems.push(`SLUICE_SETTINGS: the file ${path} is not a JSON object that can be read`);
    return {};
  }
  const found: Record<string, string> = {};
  for (const [key, variable] of Object.entries(SETTINGS_KEYS)) {
    const value = settings[key];
    if (value === undefined || value === '') continue;
    if (typeof value === 'string') found[variable] = value;
    else problems.push(`SLUICE_SETTINGS: ${key} in ${path} must be text`);
  }
  return found;
}

function parseSettings(path: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
