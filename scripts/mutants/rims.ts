// rims.ts — mutants of what is owed to others: fair turns, polite requests, guarded ways out, and what users are promised.

import type { Mutant } from './mutant.ts';

const fairness = 'test/fairness.test.ts';
const connect = 'test/egress-connect.test.ts';

export const rims: Mutant[] = [
  {
    name: 'one share for a key',
    file: 'src/batches/share.ts',
    find: 'others * (others + 1) as step',
    replace: 'others as step',
    tests: [{ file: fairness, name: 'the one batch came first' }],
  },
  {
    name: 'a share for each batch where there are no keys',
    file: 'src/batches/share.ts',
    find: "l.owner <> '' and ",
    replace: '',
    tests: [{ file: fairness, name: 'share each thousand of settles evenly' }],
  },
  {
    name: 'newcomers begin where the lane is',
    file: 'src/batches/share.ts',
    find: 'lane = b.lane order by turn limit 1)',
    replace: 'lane = b.lane order by turn desc limit 1)',
    tests: [{ file: fairness, name: 'share each thousand of settles evenly' }],
  },
  {
    name: 'a lane in which nothing waits goes on',
    file: 'src/batches/share.ts',
    find: "  (select max(turn) from batches where lane = b.lane and state in ('expanding', 'queued', 'running')),\n",
    replace: '',
    tests: [{ file: fairness, name: 'also when what was there before is still at work' }],
  },
  {
    name: 'a retry begins where the lane is',
    file: 'src/batches/change.ts',
    find: 'turn = 0 -- it begins',
    replace: 'turn = turn -- it begins',
    tests: [{ file: fairness, name: 'that are retried begin where the lane is' }],
  },
  {
    name: 'room in every hand for interactive images',
    file: 'src/batches/pipeline.ts',
    find: 'interactive: most + 2 * app.config.slots - interactive.length',
    replace: 'interactive: most - interactive.length',
    tests: [{ file: fairness, name: 'waits for one picture more than there are slots' }],
  },
  {
    name: 'interactive images first into a slot',
    file: 'src/batches/slots.ts',
    find: 'a.lane !== b.lane ? a.lane < b.lane : a.bytes',
    replace: 'a.bytes',
    tests: [{ file: 'test/slots.test.ts', name: 'go to the lower lane first' }],
  },
  {
    name: 'slowdowns are told to all processes',
    file: 'src/batches/hosts.ts',
    find: '  await tellSlowdowns({ db }, mine);\n',
    replace: '',
    tests: [{ file: 'test/hosts.test.ts', name: 'are both slower with a host' }],
  },
  {
    name: 'blocks are told to all processes',
    file: 'src/batches/hosts.ts',
    find: '  await tellBlocks({ db }, mine);\n',
    replace: '',
    tests: [{ file: 'test/hosts.test.ts', name: 'leave a host alone that one of them was asked to leave' }],
  },
  {
    name: 'the address of the peer is judged',
    file: 'src/egress/connect.ts',
    find: 'if (peer !== undefined && judge.admits(target, peer)) return done(null, socket);',
    replace: 'if (peer !== undefined) return done(null, socket);',
    tests: [{ file: connect, name: 'a peer that is not admitted gets no request' }],
  },
  {
    name: 'every answer of the name server is judged',
    file: 'src/egress/connect.ts',
    find: 'addresses.find((each) => !judge.admits(target, each))',
    replace: 'addresses.slice(0, 1).find((each) => !judge.admits(target, each))',
    tests: [{ file: connect, name: 'one private answer among public ones' }],
  },
  {
    name: 'literals are judged, which nobody looks up',
    file: 'src/egress/connect.ts',
    find: 'if (isIP(target.host) !== 0 && !judge.admits(target, target.host))',
    replace: 'if (isIP(target.host) < 0)',
    tests: [{ file: connect, name: 'a literal that is not admitted gets no connection' }],
  },
  {
    name: 'link-local addresses are not public',
    file: 'src/egress/addresses.ts',
    find: "  ['169.254.0.0/16', 'link-local, metadata of most clouds'],\n",
    replace: '',
    tests: [{ file: 'test/egress-addresses.test.ts', name: 'is not public from its first to its last address' }],
  },
  {
    name: 'never larger than the source',
    file: 'src/imaging/render.ts',
    find: 'if (copy && copy.length <= made.body.length && (await opensAlike(work, copy)))',
    replace: 'if (copy && copy.length < 0)',
    tests: [{ file: 'test/compress.test.ts', name: 'never larger' }],
  },
  {
    name: 'results are not shared between owners',
    file: 'src/batches/reuse.ts',
    find: 'const text = [owner, sourceSha256',
    replace: 'const text = [sourceSha256',
    tests: [{ file: 'test/reuse.test.ts', name: 'is another one for another owner, source or recipe' }],
  },
  {
    name: 'other content under an idempotency key',
    file: 'src/http/idempotency.ts',
    find: "  if (!fingerprint.equals(row.fingerprint)) throw problem('idempotency_mismatch');\n",
    replace: '',
    tests: [{ file: 'test/http-idempotency.test.ts', name: 'other content under the key is 422' }],
  },
  {
    name: 'a secret of his own for each owner',
    file: 'src/notify/signing.ts',
    find: "JSON.stringify(['webhook', owner, generation])",
    replace: "JSON.stringify(['webhook', generation])",
    tests: [{ file: 'test/webhooks-signing.test.ts', name: 'every owner has a secret of his own' }],
  },
  {
    name: 'the signature covers the body',
    file: 'src/notify/signing.ts',
    find: '.sign(id, at, body)).join',
    replace: '.sign(id, at, Buffer.alloc(0))).join',
    tests: [{ file: 'test/webhooks.test.ts', name: 'W4: the signature verifies with the reference library' }],
  },
  {
    name: 'the body of a webhook is frozen at its first try',
    file: 'src/notify/claim.ts',
    find: 'update deliveries set body = ${body} where',
    replace: 'update deliveries set body = null where ${body}::text is not null and',
    tests: [{ file: 'test/webhooks.test.ts', name: 'the body of the first try is repeated to the byte' }],
  },
  {
    name: 'formulas in a CSV are made harmless',
    file: 'src/catalogs/write.ts',
    find: '/^[=+\\-@\\t\\r\\n＝＋－＠]/.test(cell)',
    replace: '/^[=+@\\t\\r\\n＝＋－＠]/.test(cell)',
    tests: [{ file: 'test/catalogs-output.test.ts', name: 'is text with excel and verbatim without' }],
  },
];
