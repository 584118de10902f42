// check.ts — the judgements that need no name server: is this a URL, and may its host be asked at all.
//
// These steps run twice, when a request is accepted and again before each connection and each hop. From the moment the
// text is parsed only the parsed URL counts: two parsers that read one text differently are how guards are fooled.

import { isIP } from 'node:net';
import { problem, problemSaying, type Problem } from '../problem.ts';
import { isPublic } from './addresses.ts';
import { targetOf, usualPorts, type AllowList, type Target } from './allow.ts';
import type { Purpose } from './egress.ts';
import type { Ourselves } from './ourselves.ts';

export const maxUrlLength = 2048;

// Controls, blank and backslash: URL parsers drop or repair them, each in its own way.
const strayCharacter = /[\p{Cc} \\]/u;

export type Guard = {
  /** Steps 1-6. Returns the parsed URL, its host without trailing dots. */
  check: (text: string, purpose: Purpose) => URL;
  /** Whether this address may be connected to on behalf of the host: the judgement behind steps 6, 7 and 9. */
  admits: (target: Target, address: string, purpose: Purpose) => boolean;
};

export function openGuard({ allow, ourselves }: { allow: AllowList; ourselves: Ourselves }): Guard {
  const admits: Guard['admits'] = (target, address, purpose) => {
    if (purpose === 'webhook' && ourselves.listensAt(target, address)) return false;
    return isPublic(address) || allow.opensAddress(target, address);
  };

  return {
    admits,
    check(text, purpose) {
      const url = parse(text);
      if (purpose === 'webhook' && ourselves.isOurOrigin(url))
        throw problemSaying('blocked_address', 'blocked_address: webhooks to this server itself are not sent');
      const own = purpose === 'source' ? ourselves.find(url) : undefined;
      if (own?.internal) return url;
      if (own) throw problemSaying('blocked_address', 'blocked_address: of this server only result files are sources');

      const target = targetOf(url);
      const listed = allow.opensHost(target);
      const isName = isIP(target.host) === 0;
      if (isName && isLocalhost(target.host) && !listed) throw blocked(url);
      if (!usualPorts.includes(target.port) && !listed) throw blocked(url);
      if (!isName && !admits(target, target.host, purpose)) throw blocked(url);
      return url;
    },
  };
}

/** The one refusal of an address: every cause has the same words, or the guard would answer questions about our network. */
export function blocked(url: URL): Problem {
  return problem('blocked_address', { host: url.host }, { host: url.host });
}

function parse(text: string): URL {
  if (text.length > maxUrlLength) throw invalid(`it is longer than ${maxUrlLength} characters`);
  if (strayCharacter.test(text)) throw invalid('it contains a blank, a control character or a backslash');
  if (!/^https?:\/\/[^/?#]/i.test(text)) throw invalid('it must begin with http:// or https:// and a host');
  if (!URL.canParse(text)) throw invalid('its host or port cannot be read');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') throw invalid('it must not contain a user name or password');
  // `host.` and `host` are one host: whoever compares or connects below must see one spelling.
  if (url.hostname.endsWith('.')) url.hostname = url.hostname.replace(/\.+$/, '');
  if (url.hostname === '' || url.hostname.endsWith('.')) throw invalid('its host cannot be read');
  return url;
}

function invalid(reason: string): Problem {
  return problem('invalid_url', { reason });
}

function isLocalhost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost');
}
