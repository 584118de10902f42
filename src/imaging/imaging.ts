// imaging.ts — the words of this room: recipes, pictures, and what the sandbox promises.
//
// Pictures only: no database, no network, no HTTP. `child.ts` alone imports sharp at run time.

/** One operation of a recipe in canonical form: name and every argument filled. */
export type Step = { op: string } & Record<string, unknown>;

/** How the result is written. `format: 'keep'` = the source's. */
export type Output = {
  format: 'keep' | 'jpeg' | 'png' | 'webp' | 'avif';
  quality?: number;
  effort?: string;
  /** How alike the result must look, instead of a quality. */
  target?: number;
  maxBytes?: number;
} & Record<string, unknown>;

/** A parsed pipeline in canonical form: `{ops, out}`. */
export type Recipe = { ops: Step[]; out: Output };

export type Format = 'jpeg' | 'png' | 'webp' | 'avif' | 'gif' | 'tiff' | 'bmp' | 'pnm';

export type Picture = { format: Format; mediaType: string; width: number; height: number; frames: number };

export type Rendered = {
  name: string;
  /** Real format of the bytes and the extension that goes with it, without a dot. */
  format: string;
  extension: string;
  mediaType: string;
  width: number;
  height: number;
  body: Buffer[];
  bytes: number;
  quality: number | null;
  /** Of a search: likeness to the picture before it was encoded, and how many tries it took. */
  score?: number | null;
  encodes?: number;
  keptOriginal: boolean;
  warnings: string[];
};

export type Rendering = {
  source: Picture;
  renditions: Rendered[];
  /** Milliseconds, for the image's record. */
  ms: { decode: number; transform: number; encode: number };
  warnings: string[];
};

export type SandboxJob = {
  id: string;
  /** The source as it came from the network or the disk. */
  chunks: Buffer[];
  bytes: number;
  renditions: { name: string; recipe: Recipe }[];
};

export type Sandbox = {
  readonly slots: number;
  /**
   * Decodes in a child process and gives all renditions, or throws the Problem of the picture (imaging.md §13).
   * `sandbox_unavailable` when no child can be started. Aborting kills the child and throws the signal's reason.
   */
  render(job: SandboxJob, options?: { signal?: AbortSignal }): Promise<Rendering>;
  healthy(): { ok: boolean; detail?: string };
  /** For tests and the admin page. */
  children(): { pid: number; busy: boolean; done: number }[];
  close(): Promise<void>;
};
