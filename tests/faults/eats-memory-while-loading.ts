// Fault: too-much-memory | never-listened-busy
// An array that grows in an endless loop at the top level.
const hoard: string[][] = [];
for (;;) hoard.push(Array.from({ length: 100_000 }, (_, i) => `${hoard.length} ${i}`));
