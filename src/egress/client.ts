// client.ts — opens the one guarded HTTP client: every request to a host that a user named leaves through it.
//
// The order of the judgements: the URL itself (check.ts), its addresses at connect (connect.ts), then status, encoding
// and size (sources.ts, webhooks.ts). Waiting for a host's turn is the caller's business (`hosts`); the bounds per origin
// and in all hold regardless.

import type { Logger } from 'pino';
import { readAllowList } from './allow.ts';
import { openGuard } from './check.ts';
import type { Egress } from './egress.ts';
import { openHosts } from './hosts.ts';
import { sourceLimits, webhookLimits, type EgressSettings, type Limits } from './limits.ts';
import { recogniseOurselves, type Own } from './ourselves.ts';
import { openResolver, type Resolve } from './resolve.ts';
import { openSources } from './sources.ts';
import { openWebhooks } from './webhooks.ts';

export type EgressOptions = {
  config: EgressSettings;
  log: Logger;
  version: string;
  /** Our own addresses, asked at each request: the port may be known only after listening. */
  own: () => Own;
  resolve?: Resolve;
  /** The clock of the politeness, in ms. */
  now?: () => number;
  /** Other limits than the design's: for tests that cannot wait ten seconds. */
  limits?: Partial<Limits>;
};

/** Opens the way out. Throws an Error that names the entries of DARKROOM_ALLOW_HOSTS which cannot be read. */
export function openEgress(options: EgressOptions): Egress {
  const { config, log, version, own, resolve = openResolver(), now = Date.now, limits } = options;
  const allow = readAllowList(config.allowHosts);
  for (const entry of config.allowHosts) log.warn({ entry }, 'DARKROOM_ALLOW_HOSTS opens this host to every user');
  const ourselves = recogniseOurselves(own);
  const parts = { guard: openGuard({ allow, ourselves }), log, resolve, userAgent: `Darkroom/${version}` };
  const sources = openSources({ ...parts, ourselves, limits: { ...sourceLimits(config), ...limits } });
  const webhooks = openWebhooks({ ...parts, limits: { ...webhookLimits, ...limits } });

  return {
    check: parts.guard.check,
    fetch: sources.fetch,
    post: webhooks.post,
    hosts: openHosts({ connections: config.fetchesPerHost, now }),
    async close() {
      await Promise.all([sources.close(), webhooks.close()]);
    },
  };
}
