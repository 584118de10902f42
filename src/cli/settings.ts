// settings.ts — the settings of a command: read, and refused when they are well-formed and yet mean nothing.
//
// A setting's own reader knows its form alone. What a pipeline, a proxy or an origin may be is judged here, before
// anything is opened: a mistake that shows at the first request would be the customer's to find.

import { isIP } from 'node:net';
import { ConfigMistakes, readConfig, type Config } from '../config.ts';
import { parsePipeline } from '../imaging/grammar.ts';
import { Problem } from '../problem.ts';
import { folderOf } from '../storage/index.ts';
import { isOfKernel } from './places.ts';
import type { Session } from './session.ts';

/** As `readConfig`, with the environment of the session. Throws ConfigMistakes. */
export function readSettings(session: Session, flags: Parameters<typeof readConfig>[1] = {}) {
  const read = readConfig(session.env, flags);
  const mistakes = mistakesOf(read.config);
  if (mistakes.length > 0) throw new ConfigMistakes(mistakes);
  return read;
}

function mistakesOf(config: Config): string[] {
  return [
    ...pipelineMistakes('DARKROOM_PIPELINE', config.pipeline, config),
    ...pipelineMistakes('DARKROOM_UPLOAD_PIPELINE', config.uploadPipeline, config),
    ...config.trustProxy
      .filter((entry) => !isRange(entry))
      .map((entry) => `DARKROOM_TRUST_PROXY: ${entry} is not an address or CIDR.`),
    ...config.allowOrigins
      .filter((entry) => !isOrigin(entry))
      .map((entry) => `DARKROOM_ALLOW_ORIGINS: ${entry} is not an origin such as https://shop.example.com.`),
    ...folderMistakes('DATA_DIR', config.dataDir),
    ...(config.storageUrl === '' ? [] : folderMistakes('STORAGE_URL', folderOf({ ...config, url: config.storageUrl }))),
  ];
}

function pipelineMistakes(name: string, text: string, config: Config): string[] {
  try {
    parsePipeline(text, config);
    return [];
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return [`${name}: ${error.message}`];
  }
}

const folderMistakes = (name: string, folder: string | undefined): string[] =>
  folder !== undefined && isOfKernel(folder) ? [`${name}: ${folder} lies in /proc, which takes no files.`] : [];

function isRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || rest.length > 0) return false;
  return bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
}

function isOrigin(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return /^https?:$/.test(url?.protocol ?? '') && url?.origin === text.toLowerCase().replace(/\/+$/, '');
}
