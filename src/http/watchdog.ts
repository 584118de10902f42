// watchdog.ts — ends connections that hold on without moving: bodies that drip in, readers that never read.
//
// Node's own request timeout must allow honest large uploads, so it is no help against a slow one. Measured is what the
// client does, not us: while the server itself does not read, a body that stands still is no fault of the client's.

import type { IncomingMessage, ServerResponse } from 'node:http';

export type Patience = {
  /** A small body must be here within this time. */
  quickMs: number;
  /** A large one must bring `bytes` in each `windowMs`. */
  bytes: number;
  windowMs: number;
  /** A reader may stand still for so long. */
  readerMs: number;
  /** After an early answer the rest of the body may come for so long. */
  lingerMs: number;
};

export const patience: Patience = {
  quickMs: 10_000,
  bytes: 10_240,
  windowMs: 10_000,
  readerMs: 30_000,
  lingerMs: 5_000,
};

/** Calls `tooSlow` once when the body does not come in time. Ends by itself with the body. */
export function watchBody(request: IncomingMessage, quick: boolean, limits: Patience, tooSlow: () => void): void {
  let seen = request.socket.bytesRead;
  const timer = setInterval(
    () => {
      if (request.readableEnded || request.destroyed) return clearInterval(timer);
      const arrived = request.socket.bytesRead - seen;
      seen = request.socket.bytesRead;
      // Bytes wait in our own buffer: we are the slow one.
      if (!quick && (request.readableLength > 0 || request.complete || arrived >= limits.bytes)) return;
      clearInterval(timer);
      tooSlow();
    },
    quick ? limits.quickMs : limits.windowMs,
  ).unref();
  request.once('close', () => clearInterval(timer)).once('end', () => clearInterval(timer));
}

/** Cuts the connection when the client takes nothing of an answer for `readerMs`. */
export function watchReader(response: ServerResponse, limits: Patience): void {
  const { socket } = response;
  if (!socket) return;
  let written = socket.bytesWritten - socket.writableLength;
  const timer = setInterval(() => {
    const now = socket.bytesWritten - socket.writableLength;
    const waiting = socket.writableLength > 0;
    if (waiting && now === written) socket.destroy();
    written = now;
  }, limits.readerMs).unref();
  response.once('close', () => clearInterval(timer));
}

/** After an answer that came before the end of the body: what is still sent is thrown away, but not for ever. */
export function boundLeftover(request: IncomingMessage, limits: Patience): void {
  if (request.complete || request.destroyed) return;
  const { socket } = request;
  const timer = setTimeout(() => socket.destroy(), limits.lingerMs).unref();
  // Once it is answered Node forgets the request: without this a reader of its body would wait for ever.
  const cut = () => request.destroy();
  const ended = () => {
    clearTimeout(timer);
    socket.off('close', cut);
  };
  socket.once('close', cut);
  request.once('end', ended).once('close', ended);
}
