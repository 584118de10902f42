// limits.ts — how long and how much a foreign host may take. Settings come from the configuration, the rest is fixed.

import type { Config } from '../config.ts';

export type Limits = {
  connectMs: number;
  headersMs: number;
  idleMs: number;
  totalMs: number;
  /** How long a body may be slower than the rate floor. */
  graceMs: number;
  /** Most connections in all, and to one origin. */
  connections: number;
  connectionsPerHost: number;
  maxBody: number;
};

export type EgressSettings = Pick<Config, 'allowHosts' | 'maxFile' | 'fetchTimeMs' | 'fetches' | 'fetchesPerHost'>;

export const maxHeaderBytes = 16 * 1024;
export const maxRedirects = 3;
export const keepAliveMs = 4000;
export const maxRetryAfterMs = 3_600_000;

/** Slower than this on average, once the grace has passed, and the host holds a connection for nothing. */
export const slowestBytesPerSecond = 1000;

export function sourceLimits(config: EgressSettings): Limits {
  return {
    connectMs: 5000,
    headersMs: 10_000,
    idleMs: 10_000,
    totalMs: config.fetchTimeMs,
    graceMs: 5000,
    connections: config.fetches,
    connectionsPerHost: config.fetchesPerHost,
    maxBody: config.maxFile,
  };
}

export const webhookLimits: Limits = {
  connectMs: 5000,
  headersMs: 15_000,
  idleMs: 10_000,
  totalMs: 15_000,
  graceMs: 15_000,
  connections: 32,
  connectionsPerHost: 4,
  maxBody: 64 * 1024,
};
