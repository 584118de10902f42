// sse.ts — a stream of server-sent events as an answer like any other.
//
// It goes through the framework's own reply, so that its headers, guards and log are those of every answer; what is written
// and not yet taken can be asked for, because whoever does not read must be dropped.

import { Readable } from 'node:stream';
import type { Answering } from './http.ts';

export type EventStream = {
  /** Sends one block; an absent id leaves the reader's last one as it is. */
  send(event: { id?: number | undefined; type: string; data: unknown }): void;
  unsent(): number;
  end(): void;
  /** Cuts the connection: the reader does not take what was sent. */
  cut(): void;
};

export const eventStreamType = 'text/event-stream; charset=utf-8';
/** After so long without a sign proxies take a connection for dead. */
const signEveryMs = 15_000;
const retryMs = 2_000;

export type EventStreamOptions = {
  /** The number from which a reader that is cut off now must go on; sent at the start and with each sign of life. */
  at(): number;
  closed(): void;
};

/** Answers with a stream that stays open until it is ended, or the reader leaves. */
export function openEventStream(reply: Answering, { at, closed }: EventStreamOptions): EventStream {
  const stream = new Readable({ read() {} });
  // An id without data is no event, and still the one with which the reader comes back.
  const sign = () => stream.push(`: here\nid: ${at()}\n\n`);
  const timer = setInterval(sign, signEveryMs).unref();
  stream.once('close', () => {
    clearInterval(timer);
    closed();
  });
  stream.push(`retry: ${retryMs}\n`);
  sign();
  void reply.type(eventStreamType).header('x-accel-buffering', 'no').send(stream);
  return {
    send({ id, type, data }) {
      if (stream.destroyed) return;
      stream.push(`${id === undefined ? '' : `id: ${id}\n`}event: ${type}\ndata: ${JSON.stringify(data)}\n\n`);
    },
    unsent: () => stream.readableLength + reply.raw.writableLength,
    end() {
      // The connection would be kept for a next request, and the server that stops would wait for it.
      reply.raw.once('finish', () => reply.raw.socket?.end());
      if (!stream.destroyed) stream.push(null);
    },
    cut: () => void reply.raw.destroy(),
  };
}
