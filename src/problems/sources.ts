// sources.ts — what can go wrong on the way to a foreign host: a source picture or a webhook receiver.
//
// The sentences name what the caller typed and never an address that we resolved: equal words for every refusal, or the
// guard would become a port scanner. Codes shared with requests (not_found, forbidden, rate_limited, expired) stand in
// requests.ts with an `ofImage` sentence.

import type { Entry } from '../problem.ts';

export const sourceProblems = {
  invalid_url: {
    status: 422,
    title: 'The URL is not valid.',
    detail: 'The URL is not valid: {reason}.',
    retryable: false,
  },
  blocked_address: {
    status: 422,
    title: 'The address may not be fetched from here.',
    detail: 'blocked_address: set DARKROOM_ALLOW_HOSTS={host} to allow this host',
    remedy: 'If the host is yours, list it in DARKROOM_ALLOW_HOSTS.',
    retryable: false,
  },
  dns_failure: { status: 502, title: 'The name of the host could not be resolved.', retryable: true },
  connect_failed: { status: 502, title: 'The host could not be reached, or cut the connection.', retryable: true },
  tls_failed: { status: 502, title: 'The host has no valid certificate.', retryable: false },
  timeout: { status: 504, title: 'The host took too long.', retryable: true },
  too_many_redirects: { status: 502, title: 'The host redirects too often.', retryable: false },
  invalid_redirect: { status: 502, title: 'The host redirects to where we do not follow.', retryable: false },
  server_error: { status: 502, title: 'The host answered with a server error.', retryable: true },
  http_status: { status: 502, title: 'The host answered with an unexpected status.', retryable: false },
  empty_body: { status: 502, title: 'The host sent nothing.', retryable: false },
  content_encoding: {
    status: 502,
    title: 'The host sent a compressed body, which was not asked for.',
    retryable: false,
  },
  receiver_disabled: {
    status: 409,
    title: 'Nothing is sent to this URL any more: it answered 410, or only failed for five days.',
    remedy: 'Send one delivery again once it works.',
    retryable: false,
  },
  worker_lost: { status: 500, title: 'The worker was lost each time it worked on this picture.', retryable: false },
  canceled: { status: 409, title: 'Canceled', retryable: false },
} as const satisfies Record<string, Entry>;
