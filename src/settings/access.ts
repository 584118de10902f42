// access.ts — the settings that say who may do what, and how much of it.

import * as read from './read.ts';
import { setting } from './setting.ts';

export const accessSettings = {
  allowHosts: setting({
    name: 'DARKROOM_ALLOW_HOSTS',
    read: read.list,
    initial: '',
    unset: [],
    sentence: 'Private hosts that may be fetched: host, host:port or CIDR, by comma.',
  }),
  allowOrigins: setting({
    name: 'DARKROOM_ALLOW_ORIGINS',
    read: read.list,
    initial: '',
    unset: [],
    sentence: 'Cross-origin pages that may use the API, by comma. While no key exists also http://localhost:5173.',
  }),
  trustProxy: setting({
    name: 'DARKROOM_TRUST_PROXY',
    read: read.list,
    initial: '',
    unset: [],
    sentence: 'CIDRs of proxies whose X-Forwarded-For is believed.',
  }),
  apiKey: setting({
    name: 'DARKROOM_API_KEY',
    read: read.apiKey,
    initial: '',
    unset: '',
    sentence: 'An admin key; from then on every non-public route needs a key.',
    secret: true,
  }),
  rateReads: setting({
    name: 'DARKROOM_RATE_READS',
    read: read.whole(1, 1_000_000),
    initial: '6000',
    sentence: 'Reads per key and minute, once keys exist.',
  }),
  rateWrites: setting({
    name: 'DARKROOM_RATE_WRITES',
    read: read.whole(1, 1_000_000),
    initial: '600',
    sentence: 'Writes per key and minute, once keys exist; a sixth of them may come at once.',
  }),
  maxQueued: setting({
    name: 'DARKROOM_MAX_QUEUED',
    read: read.whole(1, 1_000_000_000),
    initial: '1000000',
    sentence: 'Images that an owner of keys may have waiting or running.',
  }),
  maxBatches: setting({
    name: 'DARKROOM_MAX_BATCHES',
    read: read.whole(1, 1_000_000),
    initial: '200',
    sentence: 'Batches that an owner of keys may have open.',
  }),
  maxStored: setting({
    name: 'DARKROOM_MAX_STORED',
    read: read.bytes,
    initial: '100gb',
    sentence: 'Bytes that the batches of an owner of keys may hold in storage.',
  }),
  insecureNoAuth: setting({
    name: 'DARKROOM_INSECURE_NO_AUTH',
    read: read.flag,
    initial: 'off',
    sentence: 'Serve beyond loopback without any key. As --insecure-no-auth.',
  }),
};
