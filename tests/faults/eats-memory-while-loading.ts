// Fault: too-much-memory
// An array that grows in an endless loop at the top level.
const hoard: string[][] = [];
for (;;) hoard.push(Array.from({ length: 100_000 }, (_, i) => `${hoard.length} ${i}`));
