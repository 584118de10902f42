// error-bodies.ts — the two error shapes of the seeds: {"error"} of A and B, {"detail"} of C, D and E.
//
// Which sentence a code gets is a surface's own matter; it hands in the few that differ from the catalogue.

import { entryOf, type Code, type Fault, type Problem } from '../problem.ts';
import type { ErrorBody, ErrorShape } from '../http/http.ts';

/** A surface's own words for a code. */
export type Wording = { status?: number; says?: string | ((problem: Problem) => string) };
export type Wordings = Partial<Record<Code, Wording>>;

/** The shape of A and B: `{"error", "code"}`; what others call 422 is 400 here, and an id of no form is unknown. */
export function errorShape(wordings: Wordings): ErrorShape {
  return (problem) => {
    if (isBadId(problem)) return { status: 404, body: { error: 'Not found', code: 'not_found' } };
    const own: Wordings = { not_found: { says: 'Not found' }, idempotency_mismatch: { status: 422 }, ...wordings };
    const { sentence } = worded(problem, own);
    const status = own[problem.code]?.status ?? (problem.status === 422 ? 400 : problem.status);
    const [fault] = problem.facts.faults ?? [];
    const error = wordings[problem.code] === undefined && fault ? faultSentence(fault) : sentence;
    return { status, body: { error, code: problem.code, ...problem.facts.extra } };
  };
}

/** The shape of C, D and E: `{"detail", "code"}`, where detail is a list when there are faults with a place. */
export function detailShape(wordings: Wordings): ErrorShape {
  return (problem): ErrorBody => {
    const { status, sentence } = worded(problem, wordings);
    const { faults, extra } = problem.facts;
    if (!faults) return { status, body: { detail: sentence, code: problem.code, ...extra } };
    return { status: 422, body: { detail: faults.map(faultBody), code: codeOfFaults(problem), ...extra } };
  };
}

/** The page of a request that matched nothing says "Not Found"; a surface has its own word for an id it does not know. */
export const isUnmatched = (problem: Problem): boolean => problem.message === entryOf('not_found').title;

const isBadId = ({ facts }: Problem): boolean => facts.faults?.every(({ loc }) => loc[0] === 'path') ?? false;

function worded(problem: Problem, wordings: Wordings): { status: number; sentence: string } {
  const { status = problem.status, says = problem.message } = wordings[problem.code] ?? {};
  return { status, sentence: typeof says === 'function' ? says(problem) : says };
}

// Broken JSON is a fault of the request like any other in these dialects.
const codeOfFaults = ({ code }: Problem): Code => (code === 'malformed_body' ? 'invalid_request' : code);

function faultBody({ type, loc, message, input }: Fault) {
  return { type, loc, msg: message, input: input ?? null };
}

function faultSentence({ loc, message }: Fault): string {
  const place = loc.slice(1).join('.');
  return place ? `${place}: ${message}` : message;
}
