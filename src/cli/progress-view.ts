// Shows phases: a bar each on a terminal, now and then a line elsewhere, JSON lines on request.
import cliProgress from 'cli-progress';
import type { Io } from './io.js';
import type { Phase } from './phase.js';
import { clean, spanWords } from './words.js';

export interface ProgressView {
  update(phase: Phase): void;
  /** Something to know beside the progress. */
  note(words: string): void;
  /** Nothing more is coming; what was held back is shown. */
  end(): void;
}

export function progressView(io: Io, json: boolean, dataset: () => string | undefined): ProgressView {
  if (json) return new JsonView(io, dataset);
  return io.terminal ? new BarView(io) : new LineView(io);
}

const WORDS_WIDTH = 40;

class BarView implements ProgressView {
  readonly #io: Io;
  #bar: cliProgress.SingleBar | undefined;
  #key = '';

  constructor(io: Io) {
    this.#io = io;
  }

  update(phase: Phase): void {
    if (phase.key !== this.#key) this.#next(phase);
    this.#bar?.update(Math.round(phase.fraction * 1000), payloadOf(phase));
  }

  note(words: string): void {
    this.#close(false);
    this.#io.err(`sluice: ${words}`);
  }

  end(): void {
    this.#close(false);
  }

  #next(phase: Phase): void {
    this.#close(true);
    this.#key = phase.key;
    this.#bar = new cliProgress.SingleBar(
      {
        format: '{words} {bar} {percentage}% {tail}',
        stream: this.#io.screen,
        barsize: 24,
        hideCursor: true,
        clearOnComplete: false,
        fps: 10,
        // Ours alone decides what Ctrl-C does.
        gracefulExit: false,
        autopadding: true,
        linewrap: false,
      },
      cliProgress.Presets.shades_classic,
    );
    this.#bar.start(1000, 0, payloadOf(phase));
  }

  /** @param whole the phase is over because the next one began */
  #close(whole: boolean): void {
    if (whole) this.#bar?.update(1000, { tail: '' });
    this.#bar?.stop();
    this.#bar = undefined;
    this.#key = '';
  }
}

const payloadOf = (phase: Phase): { words: string; tail: string } => ({
  words: clean(phase.words).slice(0, WORDS_WIDTH).padEnd(WORDS_WIDTH),
  tail: tailOf(phase),
});

function tailOf({ mbps, etaSeconds }: Phase): string {
  const rate = mbps === null ? [] : [`${mbps.toFixed(1)} MB/s`];
  const left = etaSeconds === null ? [] : [`${spanWords(etaSeconds)} left`];
  return [...rate, ...left].join(', ');
}

const LINE_EVERY_MS = 2_000;

/** At most a line in two seconds; the newest one waits for its turn. */
export class LineView implements ProgressView {
  readonly #io: Pick<Io, 'err'>;
  #lastAt = Number.NEGATIVE_INFINITY;
  #last = '';
  #pending: string | undefined;

  constructor(io: Pick<Io, 'err'>) {
    this.#io = io;
  }

  update(phase: Phase): void {
    const tail = tailOf(phase);
    const line = `${clean(phase.words)} ${Math.floor(phase.fraction * 100)}%${tail === '' ? '' : ` (${tail})`}`;
    this.#pending = line === this.#last ? undefined : line;
    if (performance.now() - this.#lastAt >= LINE_EVERY_MS) this.#flush();
  }

  note(words: string): void {
    this.#flush();
    this.#io.err(`sluice: ${words}`);
  }

  end(): void {
    this.#flush();
  }

  #flush(): void {
    if (this.#pending === undefined) return;
    this.#io.err(this.#pending);
    this.#last = this.#pending;
    this.#pending = undefined;
    this.#lastAt = performance.now();
  }
}

const JSON_EVERY_MS = 1_000;

/** A line for every new status and stage, and one a second for progress. */
class JsonView implements ProgressView {
  readonly #io: Io;
  readonly #dataset: () => string | undefined;
  #key = '';
  #progressAt = 0;

  constructor(io: Io, dataset: () => string | undefined) {
    this.#io = io;
    this.#dataset = dataset;
  }

  update(phase: Phase): void {
    const { status, stage, percent, fraction, mbps, etaSeconds, file } = phase;
    const key = `${phase.key} ${status}`;
    const dataset = this.#dataset() ?? null;
    if (key !== this.#key) this.#print({ event: 'status', dataset, status, stage, words: phase.words });
    else if (performance.now() - this.#progressAt < JSON_EVERY_MS) return;
    this.#key = key;
    this.#progressAt = performance.now();
    const measured = { percent, phase_percent: Math.round(fraction * 1000) / 10 };
    const pace = { speed_mbps: mbps, eta_seconds: etaSeconds, current_file: file };
    this.#print({ event: 'progress', dataset, status, stage, ...measured, ...pace });
  }

  note(words: string): void {
    this.#print({ event: 'note', dataset: this.#dataset() ?? null, say: words });
  }

  end(): void {
    // Every line was complete when it was printed.
  }

  #print(line: object): void {
    this.#io.out(JSON.stringify(line));
  }
}
