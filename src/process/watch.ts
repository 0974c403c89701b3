// Watches a running program: signs of life, the stall limit, the time limit, the caller's abort.
import type { Ending } from './ending.js';
import { type GroupUsage, startTimeOf, usageOfGroup } from './proc.js';
import type { ProgramHooks, ProgramSpec } from './program.js';

const LONGEST_INTERVAL = 1_000;

/**
 * Looks at the program at least four times per stall limit.
 * @param said counts the program's progress lines that advanced
 * @returns a function that ends the watch
 */
export function watchProgram(
  spec: ProgramSpec,
  group: number | undefined,
  said: { readonly state: { readonly advances: number } },
  hooks: Pick<ProgramHooks, 'onAlive' | 'signal'>,
  ending: Ending,
): () => void {
  const signsOfLife = createSigns(group, said);
  let aliveAt = performance.now();
  let toldAt = aliveAt;
  const stalled = (say: string): void => ending.end({ kind: 'limit', code: 'program_stalled', say });
  const look = (): void => {
    const now = performance.now();
    const { lives, told } = signsOfLife();
    if (told) toldAt = now;
    if (lives) {
      aliveAt = now;
      hooks.onAlive();
    } else if (now - aliveAt > spec.stallLimitMs) stalled(stallWords(spec.stallLimitMs));
    if (now - toldAt > spec.progressLimitMs) stalled(progressWords(spec.progressLimitMs));
  };
  const guardedLook = (): void => {
    try {
      look();
    } catch (error) {
      ending.end({ kind: 'error', error });
    }
  };
  const onTime = (): void =>
    ending.end({ kind: 'limit', code: 'program_timeout', say: timeWords(spec.timeLimitMs) });
  const onAbort = (): void => ending.end({ kind: 'error', error: hooks.signal.reason });
  const interval = setInterval(guardedLook, Math.min(LONGEST_INTERVAL, spec.stallLimitMs / 4));
  const limit = setTimeout(onTime, Math.min(spec.timeLimitMs, 2 ** 31 - 1));
  hooks.signal.addEventListener('abort', onAbort, { once: true });
  // An abort that came before is not told again.
  if (hooks.signal.aborted) onAbort();
  return () => {
    clearInterval(interval);
    clearTimeout(limit);
    hooks.signal.removeEventListener('abort', onAbort);
  };
}

/** Whether anything, and whether its progress, advanced since the last question. Without /proc every program counts as alive. */
function createSigns(
  group: number | undefined,
  said: { readonly state: { readonly advances: number } },
): () => { readonly lives: boolean; readonly told: boolean } {
  let usage: GroupUsage | undefined;
  let advances = 0;
  const hasProc = startTimeOf(process.pid) !== undefined;
  return () => {
    const now = group === undefined ? undefined : usageOfGroup(group);
    const worked = now?.cpuTicks !== usage?.cpuTicks || now?.ioBytes !== usage?.ioBytes;
    const told = said.state.advances > advances;
    usage = now;
    advances = said.state.advances;
    return { lives: worked || told || !hasProc, told };
  };
}

const stallWords = (ms: number): string =>
  `The program showed no sign of life for ${Math.round(ms / 1000)} s.`;
const progressWords = (ms: number): string =>
  `The program worked for ${Math.round(ms / 1000)} s without any progress.`;
const timeWords = (ms: number): string =>
  `The program ran longer than its limit of ${Math.round(ms / 1000)} s.`;
