/** The name under which the stripped form of a source text is kept. */
export function cacheName(source: string): string;
/** Loads the library that strips, so that the next `strip` is quick. */
export function warmUp(): Promise<void>;
/**
 * A TypeScript file as JavaScript, with every letter at its place.
 * @throws SyntaxError in Node's own words, with the file and the line
 */
export function strip(path: string): Promise<string>;
