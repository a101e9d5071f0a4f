// Finished: the parser of the request anatomy lesson, as a module.

/**
 * The URL that a request target stands for, or null where it stands for none (`*`, garbage). Never throws.
 * Origin-form (`/users?page=2`) gets a fixed origin in front; absolute-form (`http://host/users`) is taken as
 * it is (RFC 9112, 3.2). Dot segments are resolved here: `/a/../b` has the pathname `/b`.
 */
export function requestURL(target: string | undefined): URL | null {
  if (target === undefined) return null;
  const text = target.startsWith('/') ? `http://localhost${target}` : target;
  return /^https?:\/\//i.test(text) && URL.canParse(text) ? new URL(text) : null;
}
