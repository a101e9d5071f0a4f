/** Loads the library that strips, so that the next `strip` is quick. */
export function warmUp(): void;
/**
 * A TypeScript file as JavaScript, with every letter at its place.
 * @param cache the folder in which it is kept; the project's own unless another is named
 * @throws SyntaxError in Node's own words, with the file and the line
 */
export function strip(path: string, cache?: string): string;
/** The JavaScript of a module that is TypeScript, by its URL; undefined of any other. @throws as `strip` */
export function stripModule(url: string): string | undefined;
