// settings.svelte.ts — what is to be done with the pictures, as the form says it and as a pipeline.

export type Mode = 'compress' | 'resize' | 'grayscale' | 'pipeline';

export type Settings = {
  mode: Mode;
  quality: number;
  width: number | null;
  height: number | null;
  keepRatio: boolean;
  text: string;
  format: string;
  webhookUrl: string;
  auto: boolean;
};

export const settings = $state<Settings>({
  mode: 'compress',
  quality: 50,
  width: 800,
  height: 600,
  keepRatio: true,
  text: 'fit:800x600/webp:75',
  format: 'keep',
  webhookUrl: '',
  auto: true,
});

export const formats = ['jpeg', 'png', 'webp', 'avif'] as const;

/** The pipeline of the form. Operations stand in the order in which they work. */
export function pipelineOf(form: Settings): string {
  const { mode, quality, width, height, keepRatio, text, format } = form;
  if (mode === 'pipeline') return text.trim();
  if (mode === 'compress') return format === 'keep' ? `compress:${quality}` : `${format}:${quality}`;
  const size = `${width ?? ''}x${height ?? ''}`;
  // One side alone keeps the ratio in any case; stretch needs both.
  const isBox = width !== null && height !== null;
  const operation = mode === 'grayscale' ? 'grayscale' : `${keepRatio || !isBox ? 'fit' : 'stretch'}:${size}`;
  return format === 'keep' ? operation : `${operation}/format:${format}`;
}

/** What stands in the way of a start; undefined when nothing does. */
export const isComplete = ({ mode, width, height, text }: Settings): boolean =>
  mode === 'resize' ? width !== null || height !== null : mode !== 'pipeline' || text.trim() !== '';
