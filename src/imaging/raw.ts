// raw.ts — pixels between a reader and sharp: 8 bit, interleaved.

export type RawHeader = { width: number; height: number; channels: number; alpha: boolean };
export type RawPixels = { data: Buffer; width: number; height: number; channels: number };
