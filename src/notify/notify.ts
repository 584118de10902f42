// notify.ts — the words of this room: changes that are told at once, deliveries that must arrive.
//
//   delivery   queued ──claim──> sending ──2xx──> delivered
//                ^                  │
//                ├── tried again ───┤    no 2xx: by the schedule, or when Retry-After says
//                ├── released ──────┤    our own fault, or the worker went silent
//                │                  └──────────> dead         tried often enough, or 410
//                └─────────────── redeliver ──── dead, delivered

export type Events = {
  /**
   * Calls `hear` with the ids of batches that changed, in any process, until the returned function is called. No ids:
   * anything may have changed. Hints, not a record.
   */
  subscribe(hear: (batchIds: string[]) => void): () => void;
  /** Resolves true when `batchId` may have changed, false after `ms` or when `signal` aborts. Never rejects. */
  wait(batchId: string, ms: number, signal?: AbortSignal): Promise<boolean>;
  close(): Promise<void>;
};

/** What one webhook call carries. `body` is UTF-8 and signed as it is, byte for byte. */
export type WebhookBody = { contentType: string; body: Buffer };

/** Writes the body of a batch's webhook in the dialect that the batch came by; undefined when the batch is gone. */
export type ComposeWebhook = (delivery: {
  batchId: string;
  generation: number;
  format: string;
}) => Promise<WebhookBody | undefined>;

export type DeliveryState = 'queued' | 'sending' | 'delivered' | 'dead';

/** One try of a delivery. Without an answer `status` is null and `error` says why, as one of our codes. */
export type DeliveryTry = {
  /** RFC 3339. */
  at: string;
  status: number | null;
  ms: number;
  /** First 1 kB of the answer, as text. */
  excerpt: string;
  error: string | null;
};

/** A delivery as the surfaces see it. */
export type Delivery = {
  id: string;
  batchId: string;
  generation: number;
  owner: string;
  url: string;
  format: string;
  state: DeliveryState;
  /** Tries since it was made or sent again. */
  attempts: number;
  /** The last 20 tries, oldest first. */
  tries: DeliveryTry[];
  /** Null unless it waits for another try. */
  nextAttemptAt: Date | null;
  createdAt: Date;
  finishedAt: Date | null;
  /** Since when nothing is sent to this URL for this owner any more: it answered 410, or failed for five days. */
  receiverDisabledAt: Date | null;
};
