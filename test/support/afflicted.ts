// afflicted.ts — what a test does to a process of the product from inside: its loop stands still, or its clock goes wrong.
//
// Loaded into the process by NODE_OPTIONS (afflictions.ts). Children of the sandbox never load it: their environment is
// their own.

const { TEST_CLOCK_OFF_MS: offMs = '0', TEST_BLOCKED_MS: blockedMs = '0' } = process.env;

process.on('SIGUSR2', () => {
  for (const until = performance.now() + Number(blockedMs); performance.now() < until;);
});

if (offMs !== '0') {
  const real = Date.now;
  const now = () => real() + Number(offMs);
  globalThis.Date = new Proxy(Date, {
    construct: (date, given, asked) => Reflect.construct(date, given.length === 0 ? [now()] : given, asked) as Date,
    get: (date, name) => (name === 'now' ? now : (Reflect.get(date, name) as unknown)),
  });
}
