// session.ts — what a command knows of the process it runs in.
//
// Commands take it as an argument instead of reaching for `process`, so a test can be the terminal.

export type Output = { write(text: string): unknown; isTTY?: boolean; columns?: number };

export type Session = {
  env: Record<string, string | undefined>;
  /** Data, for the next program in the pipe. */
  out: Output;
  /** Words, for the person in front of it. */
  err: Output;
  /** Calls `hear` at each SIGINT and SIGTERM with how many there were, until the returned function is called. */
  onStop(hear: (times: number) => void): () => void;
  /** Ends the process at once, without any further ado: for the second Ctrl-C. */
  exit(code: number): void;
};

/** What a shell sees. */
export const exitCodes = {
  ok: 0,
  /** Finished, and some images failed; or the program could not start. */
  failed: 1,
  /** The command line or the catalog cannot be read. */
  usage: 2,
  /** The server does not answer, or is none of ours. */
  unreachable: 3,
  /** The server wants another key. */
  refused: 4,
  internal: 70,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Resolves at the first signal; the second ends the process with `code`. */
export function untilStopped(session: Session, code: number): Promise<void> {
  return new Promise((resolve) => {
    session.onStop((times) => {
      if (times === 1) resolve();
      else session.exit(code);
    });
  });
}
