// One transition() for every kind of entity: a table says what may follow what.

/** For every status the statuses that may follow it. */
export type TransitionTable<S extends string> = Readonly<Record<S, readonly S[]>>;

/** A refused transition; `message` names what is open instead, in words an API client can show. */
export class TransitionRefused extends Error {
  override readonly name = 'TransitionRefused';
  readonly from: string;
  readonly to: string;
  readonly open: readonly string[];

  constructor(from: string, to: string, open: readonly string[]) {
    const next = open.length > 0 ? `now open: ${open.join(', ')}` : 'this state is final';
    super(`cannot go from "${from}" to "${to}"; ${next}`);
    this.from = from;
    this.to = to;
    this.open = open;
  }
}

/**
 * The next status, or a refusal.
 * @throws TransitionRefused when the table has no such row
 */
export function transition<S extends string>(table: TransitionTable<S>, from: S, to: S): S {
  if (!table[from].includes(to)) throw new TransitionRefused(from, to, table[from]);
  return to;
}
