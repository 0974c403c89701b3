// Waiting for a turn: the activity found that its owner has as many at once as one may have, and gave its slot back.
import { condition, setCurrentDetails, setHandler } from '@temporalio/workflow';
import { turnSignal } from './messages.js';

/** Somebody calls as a rule; after this time it asks again by itself. */
const ASK_AGAIN = '10 minutes';

export class Turn {
  #called = false;

  constructor() {
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
    setCurrentDetails('Waits for its turn: its owner has as many transfers at once as one may have.');
    await condition(() => this.#called || isOver(), ASK_AGAIN);
    setCurrentDetails('');
  }
}
