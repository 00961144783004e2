// Runs named checks one after the other, so that one's sockets don't disturb another's; all must pass.

export async function run(checks) {
  const entries = Object.entries(checks);
  let failed = 0;
  for (const [name, check] of entries) {
    try {
      await within(60_000, check());
    } catch (error) {
      failed += 1;
      console.error(`${name}: ${error.stack ?? JSON.stringify(error)}`);
    }
  }
  console.log(`${entries.length - failed} of ${entries.length} checks`);
  process.exit(failed ? 1 : 0);
}

// The promise's value; an error when that takes too long.
export async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing within ${milliseconds} ms`)), milliseconds);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
