// setting.ts — what a setting is.

export type Setting<T> = {
  name: string;
  aliases?: readonly string[];
  read: (text: string) => T;
  /** As a person would write it; '' = unset, and then `read` is not asked but `unset` is the value. */
  initial: string;
  unset?: T;
  sentence: string;
  secret?: boolean;
};

export const setting = <T>(s: Setting<T>): Setting<T> => s;
