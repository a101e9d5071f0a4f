/** A request that leaves the connection open. */
export const request = (target: string, method = 'GET', ...fields: string[]): string =>
  [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...fields, '', ''].join('\r\n');
