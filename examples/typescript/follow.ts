// follow.ts — starts the sample catalog and tells its events as they come, also over a cut connection: node follow.ts

const { DARKROOM_URL = 'http://localhost:8000', DARKROOM_KEY } = process.env;
const key: Record<string, string> = DARKROOM_KEY ? { authorization: `Bearer ${DARKROOM_KEY}` } : {};

type Event = { id?: string; type: string; data: { image?: { position: number; error: { code: string } | null } } };

const begun = await fetch(`${DARKROOM_URL}/v1/batches`, {
  method: 'POST',
  headers: { ...key, 'content-type': 'application/json' },
  body: JSON.stringify({ sample: true }),
});
if (!begun.ok) throw new Error(await begun.text());
const { id: batch } = (await begun.json()) as { id: string };

// 0: everything that is kept of this batch, also what happened before we came.
let after = '0';
for (let done = false; !done;) {
  try {
    done = await follow();
  } catch (error) {
    console.error(`cut off (${String(error)}), going on after event ${after}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** True when the batch has ended; false when the stream has, and then it is opened again behind the last event. */
async function follow(): Promise<boolean> {
  const stream = await fetch(`${DARKROOM_URL}/v1/events?batch_id=${batch}&after=${after}`, { headers: key });
  if (!stream.ok || !stream.body) throw new Error(await stream.text());
  let rest = '';
  for await (const chunk of stream.body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = block.split('\n').find((line) => line.startsWith('data: '));
      if (data && tell(JSON.parse(data.slice(6)) as Event)) return true;
    }
  }
  return false;
}

function tell({ id, type, data }: Event): boolean {
  // Progress and the like have no id: they are not kept, so nobody resumes there.
  if (id !== undefined) after = id;
  const { position = '', error = null } = data.image ?? {};
  console.log([type, position, error?.code].filter(Boolean).join(' '));
  return type === 'batch.finished';
}
