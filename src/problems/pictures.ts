// pictures.ts — what can be wrong with a pipeline or with a picture.

import type { Entry } from '../problem.ts';

export const pictureProblems = {
  invalid_pipeline: { status: 422, title: 'The pipeline is not valid.', detail: '{reason}', retryable: false },
  unknown_preset: {
    status: 422,
    title: 'There is no such preset.',
    detail: 'There is no preset called "{name}".',
    retryable: false,
  },
  output_too_large: {
    status: 422,
    title: 'The result would be too large.',
    detail: 'The result would be {width}x{height}; at most {limit} is allowed.',
    retryable: false,
  },
  not_an_image: {
    status: 415,
    title: 'This is not an image.',
    detail: 'This is not an image ({kind}).',
    retryable: false,
  },
  unsupported_format: {
    status: 415,
    title: 'Images of this format cannot be read here.',
    detail: '{format} images cannot be read here.',
    retryable: false,
  },
  corrupt_image: { status: 422, title: 'The image is damaged or incomplete.', retryable: false },
  too_many_pixels: {
    status: 422,
    title: 'The image has too many pixels.',
    detail: 'The image is {width}x{height}; at most {limit} is allowed.',
    retryable: false,
  },
  side_too_long: {
    status: 422,
    title: 'A side of the image is too long.',
    detail: 'The image is {width}x{height}; at most {limit} is allowed.',
    retryable: false,
  },
  too_many_frames: {
    status: 422,
    title: 'The image has too many frames.',
    detail: 'The image has {frames} frames; at most {limit} is allowed.',
    retryable: false,
  },
  transform_failed: {
    status: 422,
    title: 'An operation could not be applied.',
    detail: '{operation} could not be applied: {reason}.',
    retryable: false,
  },
  decode_timeout: { status: 422, title: 'The image takes too long to process.', retryable: false },
  decode_memory: { status: 422, title: 'The image takes too much memory to process.', retryable: false },
  decoder_crashed: { status: 422, title: 'The image could not be processed safely.', retryable: false },
  sandbox_unavailable: { status: 503, title: 'Processing is briefly unavailable.', retryable: true },
} as const satisfies Record<string, Entry>;
