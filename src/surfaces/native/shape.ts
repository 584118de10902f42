// shape.ts — errors of /v1: problem+json (RFC 9457) with a stable code and a pointer to each fault.

import { entryOf, problem, type Fault, type Problem } from '../../problem.ts';
import type { ErrorBody, Where } from '../../http/http.ts';

export function problemShape(thrown: Problem, where: Where): ErrorBody {
  const found = ofThisDialect(thrown);
  const { title, remedy } = entryOf(found.code);
  const { faults, extra } = found.facts;
  const body = {
    type: `${where.publicUrl}/help/errors#${found.code}`,
    title,
    status: found.status,
    code: found.code,
    detail: faults?.[0] && found.message === title ? sentenceOf(faults[0]) : found.message,
    instance: where.path,
    request_id: where.requestId,
    retryable: found.retryable,
    ...(remedy !== undefined && { remedy }),
    ...(faults && { errors: faults.map((fault) => ({ pointer: pointerOf(fault), detail: fault.message })) }),
    ...extra,
  };
  return { status: found.status, body, type: 'application/problem+json; charset=utf-8' };
}

/** A bad query is 400 here, and an id of no form is as unknown as any other. */
function ofThisDialect(found: Problem): Problem {
  const { faults } = found.facts;
  const [first] = faults ?? [];
  if (found.code !== 'invalid_request' || !first) return found;
  if (first.loc[0] === 'path') return problem('not_found');
  if (first.loc[0] !== 'query') return found;
  return problem('invalid_query', { name: String(first.loc[1]), reason: `is not valid: ${first.message}` }, { faults });
}

function sentenceOf(fault: Fault): string {
  return `${pointerOf(fault) || 'The body'}: ${fault.message}`;
}

function pointerOf({ loc }: Fault): string {
  const keys = ['body', 'query', 'path'].includes(String(loc[0])) ? loc.slice(1) : loc;
  return keys.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
