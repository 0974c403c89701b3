// Where a command writes: data to stdout, everything else to stderr.

export interface Io {
  /** A line of data. */
  out(line: string): void;
  /** A line for people. */
  err(line: string): void;
  /** stderr is a terminal, so progress may be drawn. */
  readonly terminal: boolean;
  /** Where progress is drawn. */
  readonly screen: NodeJS.WriteStream;
}

export const processIo = (): Io => ({
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  terminal: process.stderr.isTTY === true,
  screen: process.stderr,
});
