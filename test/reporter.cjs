// mocha's spec reporter, and after it one line that a machine can read: "N passed, N failed, N skipped".
const { reporters } = require('mocha');
const { appendFileSync } = require('node:fs');

module.exports = class Counted extends reporters.Spec {
  epilogue() {
    super.epilogue();
    const { passes, failures, pending } = this.stats;
    const line = `${passes} passed, ${failures} failed, ${pending} skipped`;
    process.stdout.write(`${line}\n`);
    // scripts/test runs several mochas and adds them up.
    if (!process.env.EIPROUTE_TEST_COUNTS) return;
    appendFileSync(process.env.EIPROUTE_TEST_COUNTS, `${line}\n`);
    // Whoever sees only the end of a long output must find there what failed.
    for (const test of this.failures) {
      const why = String(test.err?.message ?? test.err).split('\n', 1)[0];
      appendFileSync(process.env.EIPROUTE_TEST_COUNTS, `FAILED ${test.fullTitle()}: ${why}\n`);
    }
  }
};
