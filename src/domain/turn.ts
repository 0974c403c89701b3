// How a workflow whose activity gave its slot back hears that it is its turn.

/** Name of the signal. */
export const TURN = 'turn';
