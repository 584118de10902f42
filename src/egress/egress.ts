// egress.ts — what the house may ask of the one way out.
//
// Every connection to a host that a user named passes through here: sources of pictures and webhook receivers. Failures
// are Problems with the code of the table in docs; their sentences never carry an address that we resolved.

export type Purpose = 'source' | 'webhook';

export type Fetched = {
  /** The body as it came, never joined: joining 1 MB costs 0.7 ms of CPU an image. */
  chunks: Buffer[];
  bytes: number;
  sha256: Buffer;
  /** Host (name and port) that delivered, after redirects. */
  host: string;
};

export type Reply = { status: number; ms: number; excerpt: string; retryAfterMs?: number };

export type Egress = {
  /**
   * The checks that need no DNS (steps 1-6): shape, scheme, credentials, localhost, port, address literals.
   * Returns the parsed URL; throws `invalid_url` or `blocked_address`. Nothing is sent.
   */
  check(url: string, purpose: Purpose): URL;
  /**
   * GETs a source. Throws a Problem whose `facts` carry `host`, `httpStatus` and `retryAfterMs` where known:
   * timeout, dns_failure, connect_failed, rate_limited, server_error (retryable); unavailable (our own fault, as when this
   * process stood still meanwhile); not_found, forbidden, http_status, empty_body, too_large, content_encoding,
   * blocked_address, invalid_url, tls_failed, too_many_redirects, invalid_redirect (final).
   */
  fetch(url: string, options?: { signal?: AbortSignal; hop?: number }): Promise<Fetched>;
  /** POSTs to a webhook receiver; any answer is a Reply (3xx too, never followed), no answer is a Problem. */
  post(
    url: string,
    options: { headers: Record<string, string>; body: Buffer; signal?: AbortSignal; hop?: number },
  ): Promise<Reply>;
  /** How each host behaves: the worker asks before it fetches. */
  readonly hosts: Hosts;
  close(): Promise<void>;
};

/** Politeness per host, in this process's memory. `host` = URL.host of the source. */
export type Hosts = {
  /**
   * Resolves with a permit when a connection to the host is free. Call `release` when done, after `report`. Rejects with a
   * retryable Problem that carries `retryAfterMs` when the host is blocked, or gets blocked while one waits.
   */
  enter(host: string, signal?: AbortSignal): Promise<{ release(): void }>;
  /** Ms until the host may be asked again (Retry-After, dead host); 0 = now. A host just out of its block lets one probe pass. */
  blockedFor(host: string): number;
  /** Tells how a request ended. 429, 503 and timeouts halve the connections, 20 successes add one, five connect failures in a row block. */
  report(
    host: string,
    outcome: { ok: true } | { ok: false; code: string; httpStatus?: number; retryAfterMs?: number },
  ): void;
  /** What other processes should know and told us: for the shared table of hosts. */
  snapshot(): HostState[];
  merge(states: HostState[]): void;
};

export type HostState = {
  host: string;
  blockedUntil: Date | undefined;
  /** Until when `connections` is a slowdown that others should hear of. */
  slowedUntil: Date | undefined;
  connections: number;
  failures: number;
};
