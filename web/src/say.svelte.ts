// say.svelte.ts — one sentence for everybody: shown for a while at the foot of the page, and read out by screen readers.

type Tone = 'plain' | 'bad';

export const said = $state<{ text: string; tone: Tone; shown: boolean }>({ text: '', tone: 'plain', shown: false });
let hiding: ReturnType<typeof setTimeout> | undefined;

export function say(text: string, tone: Tone = 'plain'): void {
  said.text = text;
  said.tone = tone;
  said.shown = true;
  clearTimeout(hiding);
  hiding = setTimeout(() => (said.shown = false), 6000);
}

/** Read out, not shown. */
export function announce(text: string): void {
  if (!said.shown) said.text = text;
}

/** Runs what a button does; a refusal becomes a sentence. True when it worked. */
export async function attempt(act: () => Promise<unknown>, done?: string): Promise<boolean> {
  try {
    await act();
    if (done !== undefined) say(done);
    return true;
  } catch (error) {
    say(error instanceof Error ? error.message : String(error), 'bad');
    return false;
  }
}
