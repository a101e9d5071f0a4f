// Fault: rejected-while-loading
// A promise that nobody waits for is rejected before it listens.
import { readFile } from 'node:fs/promises';
void readFile('no-such-file.txt', 'utf8').then((text) => text.length);
await new Promise((resolve) => setTimeout(resolve, 500));
