// How a workflow whose activity gave its slot back hears that it is its turn.

/** Name of the signal. */
export const TURN = 'turn';

/** What an owner takes turns in; each has its own line. */
export type TurnKind = 'transfers' | 'conversions' | 'open_bytes';

/** What is shown of work that waits. */
export const WAITS_FOR_TURN = 'waits for its turn';
