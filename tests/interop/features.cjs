// What the Node clients share: each feature is told on a line of its own.
module.exports = (client) => {
  let failed = 0;
  return {
    async feature(name, action) {
      const start = Date.now();
      let timer;
      const late = new Promise((_, reject) => (timer = setTimeout(() => reject(new Error("not within 60 s")), 60000)));
      try {
        await Promise.race([action(), late]);
        console.log(`PASSED  ${client}: ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
      } catch (error) {
        failed++;
        console.log(`FAILED  ${client}: ${name}: ${String(error.message ?? error).replaceAll("\n", " ").slice(0, 400)} ${(error.errors ?? []).map((e) => e.message).join("; ")}`);
      }
      clearTimeout(timer);
    },
    finish() {
      process.exit(failed ? 1 : 0);
    },
  };
};
