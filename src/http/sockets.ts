// sockets.ts — WebSockets, hardened once: who may open one, how much it may say, and how it ends.
//
// The handshake is a request like any other and passes all guards; here it also needs a key, a session or a ticket once
// keys exist. Small messages, few of them, a sign of life now and then: who breaks a rule is closed, and whoever does not
// hang up then is cut. A socket never takes the server with it, and does not keep it from stopping.

import type { Socket as NetSocket } from 'node:net';
import websocket from '@fastify/websocket';
import type { WebSocket } from 'ws';
import type { App } from '../app.ts';
import { problem } from '../problem.ts';
import type { Ask, Caller, Http } from './http.ts';
import { redeemTicket } from './tickets.ts';

export type Socket = {
  send(message: unknown): void;
  /** Calls `hear` with each message that comes; undefined for one that is no text. */
  listen(hear: (text: string | undefined) => void): void;
  onClose(closed: () => void): void;
  unsent(): number;
  /** Stopping: the client may come back to the next server. Revoked: its key is no longer known. */
  end(why: 'stopping' | 'revoked'): void;
  cut(): void;
};

export type SocketRoute<Wish> = {
  path: string;
  /** Before the handshake: reads what is asked for, or throws what is wrong with it. */
  prepare(request: Ask, caller: Caller): Promise<Wish>;
  talk(socket: Socket, wish: Wish): void;
};

const maxMessageBytes = 4096;
const mostPerSecond = 20;
const pingEveryMs = 30_000;
/** Who was told that it is over and does not hang up. */
const hangUpMs = 2_000;

/** A handshake that was refused, or that nobody answers. */
const handshakeMs = 5_000;

const codes = { stopping: 1001, policy: 1008 } as const;

/** The Upgrade header also asks for HTTP/2, which is ignored: such a request is answered as it is. */
export const isHandshake = ({ url, headers }: { url?: string; headers: { upgrade?: string | undefined } }): boolean =>
  (url ?? '').startsWith('/ws/') && headers.upgrade?.toLowerCase() === 'websocket';

/** From the handshake on a connection is nobody's but ours: what becomes no socket must not stay. */
export function watchHandshakes(http: Http): void {
  http.server.on('upgrade', (_request, socket: NetSocket) => {
    // An established socket sets its own timeout; once the server stops nobody else listens.
    if (http.draining) socket.destroy();
    else socket.setTimeout(handshakeMs, () => socket.destroy());
  });
  http.addHook('onResponse', async (request) => {
    if (isHandshake(request.raw)) request.raw.socket.destroySoon();
  });
}

export async function addSocket<Wish>(http: Http, app: App, route: SocketRoute<Wish>): Promise<void> {
  const wishes = new WeakMap<Ask, Wish>();
  await http.register(async (scope: Http) => {
    await scope.register(websocket, {
      options: { maxPayload: maxMessageBytes },
      // The library has closed it with the right code already; what is left is to see that it ends.
      errorHandler: (_error, socket) => cutLater(socket),
    });
    scope.get(
      route.path,
      {
        // Judged here and not at the door: a ticket is in the query.
        config: { scope: 'public' },
        websocket: true,
        preValidation: async (request) => {
          if (!request.ws) throw problem('upgrade_required', {}, { headers: { upgrade: 'websocket' } });
          const caller = await callerOfSocket(app, request);
          // Taken before the handshake: a crowd that shakes hands at once must not get in together.
          request.raw.socket.once('close', http.limits.sit(caller));
          wishes.set(request, await route.prepare(request, caller));
        },
      },
      (socket, request) => {
        // preValidation has put it there, or there would be no socket.
        route.talk(watched(socket), wishes.get(request) as Wish);
      },
    );
  });
}

async function callerOfSocket(app: App, request: Ask): Promise<Caller> {
  const { token } = request.query as { token?: unknown };
  const caller = typeof token === 'string' ? await redeemTicket(app, token) : request.caller;
  if (!caller) throw problem('unauthorized', {}, { headers: { 'www-authenticate': 'Bearer' } });
  return caller;
}

function watched(socket: WebSocket): Socket {
  let isAlive = true;
  const ping = setInterval(() => {
    // Nothing came back since the last one.
    if (!isAlive) return socket.terminate();
    isAlive = false;
    socket.ping();
  }, pingEveryMs).unref();
  socket.on('pong', () => (isAlive = true));
  socket.on('close', () => clearInterval(ping));
  const isTooMuch = openMeter();
  const isFlood = () => {
    if (!isTooMuch()) return false;
    shut(socket, codes.policy, 'too many messages');
    return true;
  };
  socket.on('ping', isFlood);
  return {
    send(message) {
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
    },
    listen(hear) {
      socket.on('message', (data: Buffer, isBinary: boolean) => {
        if (socket.readyState !== socket.OPEN || isFlood()) return;
        hear(isBinary ? undefined : data.toString());
      });
    },
    onClose: (closed) => void socket.on('close', closed),
    unsent: () => socket.bufferedAmount,
    end: (why) =>
      why === 'stopping'
        ? shut(socket, codes.stopping, 'the server stops')
        : shut(socket, codes.policy, 'the key is no longer known'),
    cut: () => socket.terminate(),
  };
}

/** Tells of each call whether it is one too many within a second. */
function openMeter(): () => boolean {
  const times: number[] = [];
  return () => {
    times.push(performance.now());
    if (times.length <= mostPerSecond) return false;
    return Number(times.at(-1)) - Number(times.shift()) < 1000;
  };
}

function shut(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  cutLater(socket);
}

function cutLater(socket: WebSocket): void {
  const timer = setTimeout(() => socket.terminate(), hangUpMs).unref();
  socket.once('close', () => clearTimeout(timer));
}
