// mistakes.ts — how a command tells why it ended: one sentence for what a person can mend, the stack for our own faults.

import { ConfigMistakes } from '../config.ts';
import { Problem } from '../problem.ts';
import { missingPackage } from './missing.ts';
import { RemoteRefusal } from './remote.ts';
import { exitCodes, type ExitCode, type Session } from './session.ts';

/** Settings, databases in use and the like stop a command with 1; what nobody foresaw with 70. */
export function tellMistake(session: Session, error: unknown): ExitCode {
  if (error instanceof ConfigMistakes) {
    for (const mistake of error.mistakes) session.err.write(`${mistake}\n`);
    // Flags are told by their own names; a wrong one is a mistake of the command line.
    return error.mistakes.some((mistake) => mistake.startsWith('--')) ? exitCodes.usage : exitCodes.failed;
  }
  if (error instanceof RemoteRefusal) {
    session.err.write(`${error.message}\n`);
    return error.code;
  }
  const missing = missingPackage(error);
  if (missing !== undefined) {
    session.err.write(`${missing}\n`);
    return exitCodes.failed;
  }
  if (isSentence(error)) {
    session.err.write(`${error.message}${isOfFolder(error) ? remedy : ''}\n`);
    return exitCodes.failed;
  }
  session.err.write(`Something went wrong on our side. ${error instanceof Error ? error.stack : String(error)}\n`);
  return exitCodes.internal;
}

const remedy = '. DATA_DIR and STORAGE_URL name the folders; they must be there or possible to make, and writable.';

/** The system's word on a path. Which setting led there only the operator knows. */
const isOfFolder = (error: Error): boolean => 'path' in error && 'syscall' in error;

/** A Problem as lines for a person: its sentence, and each fault that says something else. */
export function problemLines({ message, facts }: Problem): string[] {
  const faults = (facts.faults ?? []).map((fault) => fault.message).filter((fault) => fault !== message);
  return [message, ...faults.map((fault) => `  ${fault}`)];
}

/** Errors that were written for the operator: refusals of the database, settings of a driver, faults of the system. */
function isSentence(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return (
    error.name === 'DatabaseRefusal' ||
    error instanceof Problem ||
    'code' in error ||
    /^[A-Z_]+[: ]/.test(error.message)
  );
}
