// The worker's log: JSON lines of the shape that the API's have, its own words and those of Temporal's SDK alike.
import { DefaultLogger, type LogLevel } from '@temporalio/worker';
import { type DestinationStream, type Logger, pino, stdSerializers } from 'pino';
import type { Config } from '../config/config.js';

/** @param to where the lines go; default: stdout, as in the API */
export function createWorkerLog(level: Config['logLevel'], to?: DestinationStream): Logger {
  const options = { name: 'worker', level, serializers: { error: stdSerializers.err } };
  return to === undefined ? pino(options) : pino(options, to);
}

/** What the SDK logs goes into the same lines. */
export function sdkLogger(log: Logger, level: Config['logLevel']): DefaultLogger {
  return new DefaultLogger(upper(level), ({ level: at, message, meta }) =>
    log[lower(at)]({ ...meta }, message),
  );
}

const upper = (level: Config['logLevel']): LogLevel => level.toUpperCase() as LogLevel;
const lower = (level: LogLevel): 'trace' | Config['logLevel'] =>
  level.toLowerCase() as 'trace' | Config['logLevel'];
