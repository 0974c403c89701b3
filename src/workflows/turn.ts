// Waiting for a turn: the activity found that its owner has as many at once as one may have, and gave its slot back.
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import type { TurnKind } from '../domain/turn.js';
import { turnSignal } from './messages.js';

/** What of an owner runs at once. */
const WORDS = {
  transfers: 'transfers',
  conversions: 'datasets in conversion',
  open_bytes: 'bytes on their way',
} as const;
/** Somebody calls as a rule; after this time it asks again by itself. */
const ASK_AGAIN = '10 minutes';

export class Turn {
  readonly #kind: TurnKind;
  #called = false;

  constructor(kind: TurnKind) {
    this.#kind = kind;
    setHandler(turnSignal, () => {
      this.#called = true;
    });
  }

  /** Before the activity is asked: a call that comes from now on is for this time. */
  begin(): void {
    this.#called = false;
  }

  /** @param isOver there is something else to do */
  async wait(isOver: () => boolean): Promise<void> {
    setCurrentDetails(
      `Waits for its turn: its owner has as many ${WORDS[this.#kind]} at once as one may have.`,
    );
    await condition(() => this.#called || isOver(), ASK_AGAIN);
    setCurrentDetails('');
  }
}
