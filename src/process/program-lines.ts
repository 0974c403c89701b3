// What a processing program says: JSON lines for progress, result and error; anything else is its log.

export interface ProgramProgress {
  readonly done: number;
  readonly total: number;
  readonly unit: string;
  readonly note?: string;
}
export type ProgramLine =
  | { readonly kind: 'progress'; readonly progress: ProgramProgress }
  | { readonly kind: 'result'; readonly result: Record<string, unknown> }
  | { readonly kind: 'error'; readonly code: string; readonly say: string }
  | { readonly kind: 'log'; readonly line: string };

/** Reads one line of stdout; what does not have one of the three shapes is log. */
export function parseProgramLine(line: string): ProgramLine {
  const message = parseObject(line);
  const progress = progressOf(message?.progress);
  if (progress !== undefined) return { kind: 'progress', progress };
  if (isRecord(message?.result)) return { kind: 'result', result: message.result };
  const error = message?.error;
  if (isRecord(error) && typeof error.code === 'string') {
    return { kind: 'error', code: error.code, say: typeof error.say === 'string' ? error.say : '' };
  }
  return { kind: 'log', line };
}

/** Longest line that is kept together, characters: a result may list many files, a log without line ends may not. */
const LONGEST_LINE = 2 ** 20;

/** Divides text that comes in pieces into lines. */
export function createLineSplitter(onLine: (line: string) => void): {
  push(text: string): void;
  end(): void;
} {
  let rest = '';
  return {
    push(text) {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      lines.forEach(onLine);
      if (rest.length <= LONGEST_LINE) return;
      onLine(rest);
      rest = '';
    },
    end() {
      if (rest !== '') onLine(rest);
      rest = '';
    },
  };
}

function progressOf(value: unknown): ProgramProgress | undefined {
  if (!isRecord(value)) return undefined;
  const { done, total, unit, note } = value;
  if (!isAmount(done) || !isAmount(total)) return undefined;
  return {
    done,
    total,
    unit: typeof unit === 'string' ? unit : '',
    ...(typeof note === 'string' ? { note } : {}),
  };
}

function parseObject(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
