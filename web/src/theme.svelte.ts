// theme.svelte.ts — light, dark, or as the system says; remembered in this browser.

export type Theme = 'system' | 'light' | 'dark';

const key = 'darkroom-theme';
const order: Theme[] = ['system', 'light', 'dark'];
const stored = remembered();

export const theme = $state<{ value: Theme }>({ value: stored });

export function nextTheme(): void {
  theme.value = order[(order.indexOf(theme.value) + 1) % order.length] ?? 'system';
  try {
    localStorage.setItem(key, theme.value);
  } catch {
    // Storage may be forbidden; then the choice lasts as long as the page.
  }
  applyTheme();
}

/** Colours are light-dark() pairs, so `color-scheme` is all there is to switch. */
export function applyTheme(): void {
  if (theme.value === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme.value;
}

function remembered(): Theme {
  try {
    const value = localStorage.getItem(key);
    return value === 'light' || value === 'dark' ? value : 'system';
  } catch {
    return 'system';
  }
}
