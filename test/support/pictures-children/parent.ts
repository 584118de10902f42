// parent.ts — a process with a sandbox of one child that works on a picture for long; prints the child's pid.

import { photo, sharpOf } from '../pictures-made.ts';
import { openStudio } from '../pictures-sandbox.ts';

const studio = await openStudio();
const source = await sharpOf(photo(3000, 2000)).jpeg().toBuffer();
void studio.render(source, 'avif');
const timer = setInterval(() => {
  const [child] = studio.sandbox.children();
  if (!child?.busy) return;
  clearInterval(timer);
  console.log(child.pid);
}, 10);
