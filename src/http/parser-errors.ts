// parser-errors.ts — answers what is no HTTP, or comes too slowly or too large to become a request.
//
// Such a connection never reaches a route. It still gets a status and the error shape of the path it named, if it came
// so far, and is then closed.

import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import { problem, problemSaying, type Problem } from '../problem.ts';
import { randomUUID } from 'node:crypto';
import { securityHeaders } from './headers.ts';
import type { ErrorBody, RouteSets } from './http.ts';
import { pathOf } from './paths.ts';

/** Where the parser had come to; not every error of a socket has one. */
type ParserError = Error & { code?: string; rawPacket?: unknown };

/** The listener for `clientError`. */
export function answerParserErrors(shapeOf: RouteSets['shapeOf'], publicUrl: () => string) {
  return (error: ParserError, socket: Socket): void => {
    if (socket.destroyed) return;
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy();
      return;
    }
    const packet = Buffer.isBuffer(error.rawPacket) ? error.rawPacket.toString('latin1', 0, 2048) : '';
    const path = pathOf(/^[A-Z]+ ([\x21-\x7e]{1,2000})/.exec(packet)?.[1]);
    const requestId = randomUUID();
    const shaped = shapeOf(path)(meaning(error.code), { path, requestId, publicUrl: publicUrl() });
    socket.end(written(shaped, requestId));
    // A sender that goes on after `end` would hold the socket open.
    socket.setTimeout(2000, () => socket.destroy());
  };
}

function meaning(code: string | undefined): Problem {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return problem('request_timeout');
  if (code === 'HPE_HEADER_OVERFLOW') return problem('headers_too_large');
  return problemSaying('malformed_body', 'This is not a well-formed HTTP request.');
}

function written({ status, body, type }: ErrorBody, requestId: string): string {
  const text = JSON.stringify(body);
  const headers = {
    ...securityHeaders,
    'content-type': type ?? 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
    'x-request-id': requestId,
    connection: 'close',
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`;
}
